#include <reactor/connector.hpp>
#include <reactor/errors.hpp>
#include <reactor/factory.hpp>
#include <reactor/protocol.hpp>

#include "support/log_capture.hpp"
#include "support/scripted_reactor.hpp"
#include <doctest/doctest.h>

#include <cerrno>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

using namespace torsion;
using namespace std::chrono_literals;
using test::LogCapture;
using test::ScriptedReactor;
using Trace = std::vector<std::string>;
using State = Connector::State;

namespace {

/// Traces what the factory and its protocols hear; hooks are called after the entry was made.
class TracingFactory final : public ClientFactory {
public:
    using Hook = std::function<void(const std::shared_ptr<Connector>&)>;

    TracingFactory() { noisy = false; }

    std::shared_ptr<Protocol> buildProtocol(const Address& peer) override {
        trace.push_back("build " + peer.toString());
        if (onBuild)
            onBuild();
        return refuse ? nullptr : std::make_shared<TracingProtocol>(*this);
    }
    void startFactory() override {
        trace.emplace_back("start");
        if (onStart)
            onStart();
    }
    void stopFactory() override {
        trace.emplace_back("stop");
        if (onStop)
            onStop();
    }
    void startedConnecting(const std::shared_ptr<Connector>& connector) override {
        hear("started", connector, onStarted);
    }
    void clientConnectionFailed(const std::shared_ptr<Connector>& connector, const Failure& reason) override {
        lastReason = reason;
        hear("failed " + reason.name(), connector, onFailed);
    }
    void clientConnectionLost(const std::shared_ptr<Connector>& connector, const Failure& reason) override {
        lastReason = reason;
        hear("lost " + reason.name(), connector, onLost);
    }

    Trace trace;
    std::vector<Connector*> connectors;
    Failure lastReason;
    bool refuse = false;
    std::function<void()> onBuild, onStart, onStop, onConnectionLost;
    Hook onStarted, onFailed, onLost;

private:
    class TracingProtocol final : public Protocol {
    public:
        explicit TracingProtocol(TracingFactory& tracing) : tracing_(tracing) {}
        void connectionMade() override { tracing_.trace.emplace_back("made"); }
        void connectionLost(const Failure& reason) override {
            tracing_.trace.push_back("protocol lost " + reason.name());
            if (tracing_.onConnectionLost)
                tracing_.onConnectionLost();
        }

    private:
        TracingFactory& tracing_;
    };

    void hear(std::string what, const std::shared_ptr<Connector>& connector, const Hook& hook) {
        trace.push_back(std::move(what));
        connectors.push_back(connector.get());
        if (hook)
            hook(connector);
    }
};

[[noreturn]] void throwError() {
    throw std::runtime_error("from the test");
}

struct Fixture {
    std::shared_ptr<TracingFactory> factory = std::make_shared<TracingFactory>();
    std::optional<ScriptedReactor> made{std::in_place};
    ScriptedReactor& reactor = *made;

    std::shared_ptr<Connector> connect(std::string_view host = "192.0.2.1", const ConnectOptions& options = {}) {
        return reactor.connectTCP(host, 80, factory, options);
    }
    Trace take() { return std::exchange(factory->trace, {}); }
};

} // namespace

TEST_CASE_FIXTURE(Fixture, "S-95: the factory starts and hears startedConnecting inside connectTCP, all else later") {
    const auto connector = connect();
    CHECK(take() == Trace{"start", "started"});
    CHECK(connector->state() == State::Connecting);
    CHECK(&connector->transport() == &Transport::null());
    reactor.attempts[0].succeed();
    CHECK(take() == Trace{"build 192.0.2.1:80", "made"});
    CHECK(connector->state() == State::Connected);
    CHECK(connector->transport().isConnected());
}

TEST_CASE_FIXTURE(Fixture, "a numeric host is not looked up") {
    connect("::1");
    CHECK(reactor.queryCount() == 0);
    CHECK(reactor.attempts[0].address == Address::ipv6("::1", 80));
}

TEST_CASE_FIXTURE(Fixture, "S-96: the same connector all along, and the destination as it was given") {
    const auto connector = connect("example.org");
    CHECK(connector->getDestination() == Destination{"example.org", 80});
    reactor.query(0).answer({Address::ipv4("192.0.2.7", 80)});
    reactor.attempts[0].succeed();
    connector->transport().abortConnection();
    reactor.step();
    CHECK(take() == Trace{"start", "started", "build 192.0.2.7:80", "made", "protocol lost ConnectionAborted",
                          "lost ConnectionAborted", "stop"});
    CHECK(factory->connectors == std::vector<Connector*>{connector.get(), connector.get()});
    CHECK(connector->getDestination() == Destination{"example.org", 80});
}

TEST_CASE("a destination is printed with brackets where it is an IPv6 address") {
    CHECK(Destination{"example.org", 80}.toString() == "example.org:80");
    CHECK(Destination{"::1", 80}.toString() == "[::1]:80");
}

TEST_CASE_FIXTURE(Fixture, "S-97: connect() throws, naming destination and state, unless disconnected") {
    const auto connector = connect();
    CHECK_THROWS_WITH_AS(connector->connect(), "connect: the connector of 192.0.2.1:80 is connecting, not disconnected",
                         std::logic_error);
    reactor.attempts[0].succeed();
    CHECK_THROWS_WITH_AS(connector->connect(), "connect: the connector of 192.0.2.1:80 is connected, not disconnected",
                         std::logic_error);
}

TEST_CASE_FIXTURE(Fixture, "S-98: an attempt given up in startedConnecting fails in a later phase and never begins") {
    factory->onStarted = [](const auto& connector) { connector->stopConnecting(); };
    const auto connector = connect();
    CHECK(take() == Trace{"start", "started"});
    CHECK(reactor.attempts.size() == 0);
    reactor.step();
    CHECK(take() == Trace{"failed UserError", "stop"});
    CHECK(connector->state() == State::Disconnected);
}

TEST_CASE_FIXTURE(Fixture, "S-98: an attempt that is given up is abandoned, and given up once") {
    const auto connector = connect();
    connector->stopConnecting();
    connector->stopConnecting();
    reactor.step();
    CHECK_FALSE(reactor.attempts[0].pending());
    CHECK(take() == Trace{"start", "started", "failed UserError", "stop"});
    CHECK(reactor.turn().nextEvent() == std::nullopt);
    CHECK_THROWS_AS(connector->stopConnecting(), NotConnectingError);
}

TEST_CASE_FIXTURE(Fixture, "S-98: a connection that comes after giving up is closed") {
    const auto connector = connect();
    connector->stopConnecting();
    reactor.attempts[0].succeed();
    CHECK(reactor.attempts[0].connection->closed);
    reactor.step();
    CHECK(take() == Trace{"start", "started", "failed UserError", "stop"});
}

TEST_CASE_FIXTURE(Fixture, "S-99: disconnect() gives up, closes, or does nothing") {
    const auto connector = connect();
    connector->disconnect();
    reactor.step();
    connector->disconnect();
    CHECK(take() == Trace{"start", "started", "failed UserError", "stop"});

    connector->connect();
    reactor.attempts[1].succeed();
    connector->disconnect();
    CHECK(connector->transport().isDisconnecting());
}

TEST_CASE_FIXTURE(Fixture, "S-100: connecting again inside clientConnectionFailed keeps the factory started") {
    factory->onFailed = [](const auto& connector) { connector->connect(); };
    connect();
    reactor.attempts[0].fail(getConnectError(ECONNREFUSED));
    reactor.step();
    CHECK(take() == Trace{"start", "started", "failed ConnectionRefusedError", "started"});
    factory->onFailed = nullptr;
    reactor.attempts[1].fail(getConnectError(ECONNREFUSED));
    reactor.step();
    CHECK(take() == Trace{"failed ConnectionRefusedError", "stop"});
}

TEST_CASE_FIXTURE(Fixture, "S-100: connecting again inside clientConnectionLost keeps the factory started") {
    factory->onLost = [](const auto& connector) { connector->connect(); };
    const auto connector = connect();
    reactor.attempts[0].succeed();
    connector->transport().abortConnection();
    reactor.step();
    CHECK(take().back() == "started");
    reactor.attempts[1].succeed();
    CHECK(take() == Trace{"build 192.0.2.1:80", "made"});
}

TEST_CASE_FIXTURE(Fixture, "S-101: connecting again later, or in stopFactory, starts the factory again") {
    const auto connector = connect();
    factory->onStop = [&] { connector->connect(); };
    reactor.attempts[0].fail(getConnectError(ECONNREFUSED));
    reactor.step();
    CHECK(take() == Trace{"start", "started", "failed ConnectionRefusedError", "stop", "start", "started"});
    factory->onStop = nullptr;
    CHECK(reactor.attempts[1].pending());
}

TEST_CASE_FIXTURE(Fixture, "S-97: connect() inside startFactory throws as in any other place while connecting") {
    const auto connector = connect();
    reactor.attempts[0].fail(getConnectError(ECONNREFUSED));
    reactor.step();
    factory->onStart = [&] { CHECK_THROWS_AS(connector->connect(), std::logic_error); };
    connector->connect();
    CHECK(reactor.attempts.size() == 2);
    CHECK(connector->state() == State::Connecting);
}

TEST_CASE_FIXTURE(Fixture, "S-102: one time-out covers look-up and connecting, and is told once") {
    connect("example.org", {.timeout = 1000ms});
    reactor.advance(900ms);
    reactor.query(0).answer({Address::ipv4("192.0.2.1", 80)});
    reactor.advance(99ms);
    CHECK(take() == Trace{"start", "started"});
    reactor.advance(1ms);
    CHECK(take() == Trace{"failed TimeoutError", "stop"});
    CHECK(factory->lastReason.getErrorMessage() == "connecting to example.org:80: no connection after 1000 ms");
    CHECK_FALSE(reactor.attempts[0].pending());
    reactor.advance(1h);
    CHECK(take().empty());
}

TEST_CASE_FIXTURE(Fixture, "S-102: a look-up that takes too long is abandoned") {
    connect("example.org", {.timeout = 1000ms});
    reactor.advance(1s);
    CHECK(take() == Trace{"start", "started", "failed TimeoutError", "stop"});
    CHECK_FALSE(reactor.query(0).pending());
}

TEST_CASE_FIXTURE(Fixture, "S-102: the timer is gone once connected, and there is none without a time-out") {
    connect();
    CHECK(reactor.turn().nextEvent() == reactor.now() + 30s);
    reactor.attempts[0].succeed();
    CHECK(reactor.turn().nextEvent() == std::nullopt);
    connect("192.0.2.1", {.timeout = std::nullopt});
    CHECK(reactor.turn().nextEvent() == std::nullopt);
    CHECK_THROWS_AS(connect("192.0.2.1", {.timeout = -1ms}), std::invalid_argument);
    CHECK_THROWS_AS(connect("192.0.2.1", {.attemptDelay = -1ms}), std::invalid_argument);
}

TEST_CASE_FIXTURE(Fixture, "S-105: a name without addresses fails with what the resolver says") {
    connect("nowhere.invalid");
    reactor.query(0).answer({}, Failure::of<DNSLookupError>("looking up nowhere.invalid: unknown"));
    reactor.step();
    CHECK(take() == Trace{"start", "started", "failed DNSLookupError", "stop"});
    CHECK(factory->lastReason.getErrorMessage() == "looking up nowhere.invalid: unknown");
}

TEST_CASE_FIXTURE(Fixture, "S-105: all addresses of a name are tried, families in turn") {
    connect("example.org", {.attemptDelay = 100ms});
    reactor.query(0).answer(
        {Address::ipv6("2001:db8::1", 80), Address::ipv6("2001:db8::2", 80), Address::ipv4("192.0.2.1", 80)});
    reactor.attempts[0].fail(getConnectError(ENETUNREACH));
    REQUIRE(reactor.attempts.size() == 2);
    CHECK(reactor.attempts[1].address == Address::ipv4("192.0.2.1", 80));
    reactor.advance(100ms);
    REQUIRE(reactor.attempts.size() == 3);
    reactor.attempts[2].succeed();
    CHECK(take() == Trace{"start", "started", "build [2001:db8::2]:80", "made"});
}

TEST_CASE_FIXTURE(Fixture, "S-106: a connection that the factory refuses is closed and told as lost") {
    factory->refuse = true;
    const auto connector = connect();
    reactor.attempts[0].succeed();
    CHECK(reactor.attempts[0].connection->closed);
    CHECK(reactor.attempts[0].connection->mode == core::CloseMode::Orderly);
    reactor.step();
    CHECK(take() == Trace{"start", "started", "build 192.0.2.1:80", "lost ConnectionDone", "stop"});
    CHECK(connector->state() == State::Disconnected);
}

TEST_CASE_FIXTURE(Fixture, "S-65: a throw in buildProtocol is logged, closes, and is told as failed") {
    LogCapture log;
    factory->onBuild = throwError;
    connect();
    reactor.attempts[0].succeed();
    CHECK(reactor.attempts[0].connection->closed);
    reactor.step();
    CHECK(take() == Trace{"start", "started", "build 192.0.2.1:80", "failed ConnectError", "stop"});
    CHECK(factory->lastReason.cause().check<std::runtime_error>());
    CHECK(log.count("Exception in buildProtocol") == 1);
}

TEST_CASE_FIXTURE(Fixture, "an attempt may be given up in buildProtocol") {
    const auto connector = connect();
    factory->onBuild = [&] { connector->disconnect(); };
    reactor.attempts[0].succeed();
    CHECK(reactor.attempts[0].connection->closed);
    reactor.step();
    CHECK(take() == Trace{"start", "started", "build 192.0.2.1:80", "failed UserError", "stop"});
}

TEST_CASE_FIXTURE(Fixture, "S-66: a throw in connectionLost keeps neither clientConnectionLost nor stopFactory away") {
    LogCapture log;
    factory->onConnectionLost = throwError;
    const auto connector = connect();
    reactor.attempts[0].succeed();
    connector->transport().abortConnection();
    reactor.step();
    CHECK(take() == Trace{"start", "started", "build 192.0.2.1:80", "made", "protocol lost ConnectionAborted",
                          "lost ConnectionAborted", "stop"});
}

TEST_CASE_FIXTURE(Fixture, "S-67: what the factory throws is logged with the destination, and the rest goes on") {
    LogCapture log;
    const auto thrower = [](const auto&) { throwError(); };
    factory->onStarted = factory->onFailed = factory->onLost = thrower;
    factory->onStop = throwError;
    const auto connector = connect();
    reactor.attempts[0].fail(getConnectError(ECONNREFUSED));
    reactor.step();
    connector->connect();
    reactor.attempts[1].succeed();
    connector->transport().abortConnection();
    reactor.step();
    CHECK(connector->state() == State::Disconnected);
    CHECK(log.count("Exception in startedConnecting") == 2);
    CHECK(log.count("Exception in clientConnectionFailed") == 1);
    CHECK(log.count("Exception in clientConnectionLost") == 1);
    CHECK(log.count("Exception in stopFactory") == 2);
    CHECK(log.count("192.0.2.1:80") == 6);
}

TEST_CASE_FIXTURE(Fixture, "a local port without a host is bound on the attempt's own family") {
    connect("example.org", {.bindPort = 4000});
    reactor.query(0).answer({Address::ipv6("2001:db8::1", 80), Address::ipv4("192.0.2.1", 80)});
    reactor.attempts[0].fail(getConnectError(ENETUNREACH));
    CHECK(reactor.attempts[0].local == Address::ipv6("::", 4000));
    CHECK(reactor.attempts[1].local == Address::ipv4("0.0.0.0", 4000));
}

TEST_CASE_FIXTURE(Fixture, "only addresses of the local address's family are tried") {
    connect("example.org", {.bindHost = "192.0.2.9"});
    reactor.query(0).answer({Address::ipv6("2001:db8::1", 80), Address::ipv4("192.0.2.1", 80)});
    CHECK(reactor.attempts[0].address == Address::ipv4("192.0.2.1", 80));
    CHECK(reactor.attempts[0].local == Address::ipv4("192.0.2.9", 0));

    connect("::1", {.bindHost = "192.0.2.9"});
    reactor.step();
    CHECK(take().back() == "failed ConnectBindError");
    CHECK(factory->lastReason.getErrorMessage() == "connecting to [::1]:80: no address of the family of 192.0.2.9");
    CHECK_THROWS_AS(connect("::1", {.bindHost = "nonsense"}), InvalidAddressError);
}

TEST_CASE_FIXTURE(Fixture, "an attempt may be given up in configureSocket") {
    std::weak_ptr<Connector> weak;
    factory->onStarted = [&weak](const auto& connector) { weak = connector; };
    const auto giveUp = [&weak](int) { weak.lock()->stopConnecting(); };
    connect("192.0.2.1", {.configureSocket = giveUp});
    reactor.step();
    CHECK(take() == Trace{"start", "started", "failed UserError", "stop"});
    CHECK_FALSE(reactor.attempts[0].pending());
}

TEST_CASE_FIXTURE(Fixture, "a dropped connector goes on, and is gone when it is done") {
    std::weak_ptr<Connector> weak = connect();
    REQUIRE_FALSE(weak.expired());
    reactor.attempts[0].succeed();
    weak.lock()->transport().abortConnection();
    CHECK_FALSE(weak.expired());
    reactor.step();
    CHECK(take().back() == "stop");
    CHECK(weak.expired());
    CHECK(factory.use_count() == 1);
}

TEST_CASE_FIXTURE(Fixture, "a pending attempt is listed, and its connection in its place") {
    connect("example.org");
    REQUIRE(reactor.endpoints().size() == 1);
    CHECK(reactor.endpoints()[0].state == "connecting");
    CHECK(reactor.endpoints()[0].name.ends_with("example.org:80"));
    reactor.query(0).answer({Address::ipv4("192.0.2.1", 80)});
    reactor.attempts[0].succeed();
    REQUIRE(reactor.endpoints().size() == 1);
    CHECK(reactor.endpoints()[0].state == "open");
}

TEST_CASE_FIXTURE(Fixture, "a stopped reactor cancels what is connecting, without waiting for look-ups") {
    connect("example.org");
    connect("192.0.2.1");
    reactor.callWhenRunning([this] { reactor.stop(); });
    reactor.run();
    CHECK(take() == Trace{"start", "started", "started", "failed CancelledError", "failed CancelledError", "stop"});
    CHECK_FALSE(reactor.query(0).pending());
}

TEST_CASE_FIXTURE(Fixture, "a draining reactor cancels what is connecting") {
    connect();
    reactor.callWhenRunning([this] { reactor.stop({.drain = 10s}); });
    reactor.run();
    CHECK(take() == Trace{"start", "started", "failed CancelledError", "stop"});
}

TEST_CASE_FIXTURE(Fixture, "a destroyed reactor cancels what is connecting, and a kept connector outlives it") {
    const auto pending = connect("example.org");
    const auto connected = connect();
    reactor.attempts[0].succeed();
    take();
    made.reset();
    CHECK(take() == Trace{"failed CancelledError", "protocol lost ConnectionLost", "lost ConnectionLost", "stop"});
    CHECK(pending->state() == State::Disconnected);
    CHECK(connected->state() == State::Disconnected);
}

TEST_CASE_FIXTURE(Fixture, "a factory that connects again whenever it fails does not outlast its reactor") {
    LogCapture log;
    factory->onFailed = [](const auto& connector) { connector->connect(); };
    const auto connector = connect();
    made.reset();
    CHECK(connector->state() == State::Disconnected);
    CHECK(take().back() == "stop");
    CHECK(log.contains("ReactorNotRunning"));
}

TEST_CASE_FIXTURE(Fixture, "S-80: a factory whose startFactory throws is not started, and connect() throws") {
    factory->onStart = throwError;
    CHECK_THROWS_AS(connect(), std::runtime_error);
    CHECK(take() == Trace{"start"});
    factory->onStart = nullptr;
    connect();
    CHECK(take() == Trace{"start", "started"});
}
