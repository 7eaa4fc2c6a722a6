#include <doctest/doctest.h>

#include <protocols/basic/line_only_receiver.hpp>
#include <reactor/errors.hpp>
#include <reactor/factory.hpp>
#include <reactor/listening_port.hpp>
#include <reactor/reactor.hpp>
#include <reactor/scoped_protocol.hpp>
#include <reactor/stream.hpp>
#include <reactor/testing/string_transport.hpp>

#include "support/deferred_result.hpp"
#include "support/log_capture.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

using namespace std::chrono_literals;
using namespace torsion;
using test::LogCapture;
using test::Trace;
using torsion::testing::MemoryReactor;
using torsion::testing::StringTransport;

namespace {

/// Greets after a second, and says how it ends.
class Greeter : public ScopedProtocol<> {
public:
    explicit Greeter(Trace& trace) : trace_(trace) {}
    ~Greeter() override { trace_.push_back("destroyed"); }

    void connectionMade() override {
        scope().spawn(greet());
        scope().spawn([this] { return tidy(); });
    }
    void connectionEnded(const Failure& reason) override { trace_.push_back(reason.name()); }

private:
    Deferred<void> greet() {
        co_await transport->reactor().sleep(1s);
        transport->write("hello\r\n");
        try {
            co_await transport->reactor().sleep(1h);
        } catch (const CancelledError&) {
            trace_.push_back("greet cancelled");
        }
    }

    Deferred<void> tidy() {
        Clock& clock = transport->reactor();
        try {
            co_await clock.sleep(1h);
        } catch (const CancelledError&) {
        }
        co_await clock.sleep(1s);
        trace_.push_back("tidy");
    }

    Trace& trace_;
};

class Answering : public ScopedProtocol<LineOnlyReceiver> {
public:
    void lineReceived(std::string_view line) override { scope().spawn(answer(std::string(line))); }

private:
    Deferred<void> answer(std::string line) {
        co_await transport->reactor().sleep(1s);
        if (line == "fail")
            throw NoProtocol();
        sendLine(line);
    }
};

/// Leaves its connection to another protocol, with a task that cleans up.
class Leaving : public ScopedProtocol<> {
public:
    explicit Leaving(Trace& trace) : trace_(trace) {}
    ~Leaving() override { trace_.push_back("destroyed"); }

    void connectionMade() override { scope().spawn(tidy(transport->reactor())); }
    void dataReceived(std::string_view) override {
        closeScope();
        transport->switchProtocol(std::make_shared<Answering>(), {});
    }

private:
    Deferred<void> tidy(Clock& clock) {
        try {
            co_await clock.sleep(1h);
        } catch (const CancelledError&) {
        }
        co_await clock.sleep(1s);
        trace_.push_back("tidy");
    }

    Trace& trace_;
};

} // namespace

TEST_CASE("a protocol that leaves its connection closes its scope, and lives until its tasks have ended") {
    const LogCapture log;
    Trace trace;
    MemoryReactor reactor;
    auto factory = Factory::fromFunction([&](const Address&) { return std::make_shared<Leaving>(trace); });
    const auto port = reactor.listenTCP(0, factory);
    std::optional<Stream> conn;
    connectStream(reactor, "127.0.0.1", port->getHost().port())
        .addCallback([&](Stream made) { conn.emplace(std::move(made)); })
        .detach();
    reactor.settle();
    REQUIRE(conn);
    conn->write("go").detach();
    reactor.settle();
    CHECK(trace.empty());
    reactor.advance(1s);
    CHECK(trace == Trace{"tidy", "destroyed"});
    CHECK(log.count(spdlog::level::warn) == 0);
}

TEST_CASE(
    "the tasks of a connection are cancelled when it is lost; then the protocol is told, and lives until all ended") {
    const LogCapture log;
    Trace trace;
    StringTransport transport;
    transport.connect(std::make_shared<Greeter>(trace));
    auto& reactor = dynamic_cast<MemoryReactor&>(transport.reactor());
    reactor.advance(1s);
    CHECK(transport.value() == "hello\r\n");
    transport.abortConnection();
    reactor.settle();
    CHECK(trace == Trace{"greet cancelled", "ConnectionAborted"});
    reactor.advance(1s);
    CHECK(trace == Trace{"greet cancelled", "ConnectionAborted", "tidy", "destroyed"});
    CHECK(log.count(spdlog::level::warn) == 0);
}

TEST_CASE("a scope stands on any class of protocols; a task that fails aborts its connection with that failure") {
    const LogCapture log;
    StringTransport transport;
    transport.connect(std::make_shared<Answering>());
    auto& reactor = dynamic_cast<MemoryReactor&>(transport.reactor());
    transport.receive("one\r\ntwo\r\n");
    reactor.advance(1s);
    CHECK(transport.value() == "one\r\ntwo\r\n");
    transport.receive("fail\r\n");
    reactor.advance(1s);
    CHECK(log.count("NoProtocol") >= 1);
    CHECK(log.count("scoped_protocol_test.cpp:") == 1);
    CHECK(transport.aborted());
    CHECK(transport.reason().check<NoProtocol>());
}
