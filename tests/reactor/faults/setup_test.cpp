// What cannot work is said at once, or to the factory, and names what was asked for.

#include "support/hooked_protocol.hpp"
#include "support/log_capture.hpp"
#include "support/raw_socket.hpp"
#include "support/run_until.hpp"
#include "support/skip.hpp"

#include <reactor/errors.hpp>
#include <reactor/libuv/uv_reactor.hpp>

#include <doctest/doctest.h>

#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using namespace torsion;
using namespace torsion::test;

namespace {

template <class E, class F>
std::string messageOf(F&& f) {
    try {
        f();
    } catch (const E& error) {
        return error.what();
    }
    return "nothing was thrown";
}

bool contains(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

int unprivilegedFrom() {
    int port = 1024;
    std::ifstream("/proc/sys/net/ipv4/ip_unprivileged_port_start") >> port;
    return port;
}

/// A root that gave its rights up, until the end of the scope.
class WithoutRights {
public:
    WithoutRights() : user_(::geteuid()) { worked_ = user_ != 0 || ::seteuid(65534) == 0; }
    ~WithoutRights() {
        if (user_ == 0 && worked_ && ::seteuid(0) != 0)
            std::terminate();
    }
    WithoutRights(const WithoutRights&) = delete;
    WithoutRights& operator=(const WithoutRights&) = delete;
    bool worked() const { return worked_; }

private:
    uid_t user_;
    bool worked_ = false;
};

/// A resolver that says what a test says.
class ScriptedResolver : public Resolver {
public:
    using Script = std::function<std::unique_ptr<Lookup>(const std::string&, std::uint16_t, Callback)>;
    explicit ScriptedResolver(Script script) : script_(std::move(script)) {}
    std::unique_ptr<Lookup> resolve(const std::string& host, std::uint16_t port, AddressFamily,
                                    Callback callback) override {
        return script_(host, port, std::move(callback));
    }

private:
    Script script_;
};

/// The failure that the factory hears of an attempt.
Failure failureOf(UvReactor& reactor, std::string_view host, int port, const ConnectOptions& options = {}) {
    const auto factory = HookedFactory::make();
    const auto connector = reactor.connectTCP(host, port, factory, options);
    CHECK(runUntil(reactor, [&] { return factory->failures != 0; }));
    CHECK(factory->failures == 1);
    CHECK(factory->started == 1);
    CHECK(factory->stopped == 1);
    CHECK(factory->built == 0);
    CHECK(connector->state() == Connector::State::Disconnected);
    return factory->reason;
}

} // namespace

TEST_CASE("a port out of range is named by what it throws, and starts nothing") {
    UvReactor reactor;
    const auto factory = HookedFactory::make();
    for (const int port : {-1, 65536, 1 << 20}) {
        CAPTURE(port);
        const std::string listening = messageOf<std::invalid_argument>([&] { reactor.listenTCP(port, factory); });
        CHECK(contains(listening, std::to_string(port)));
        const std::string connecting =
            messageOf<std::invalid_argument>([&] { reactor.connectTCP("127.0.0.1", port, factory); });
        CHECK(contains(connecting, std::to_string(port)));
    }
    CHECK_THROWS_AS(reactor.connectTCP("127.0.0.1", 0, factory), std::invalid_argument);
    CHECK(factory->started == 0);
    CHECK(reactor.endpoints().empty());
}

TEST_CASE("a malformed address is named by what it throws, and starts nothing") {
    UvReactor reactor;
    const auto factory = HookedFactory::make();
    for (const std::string_view interface : {"256.0.0.1", "localhost", "::g", "127.0.0.1:80", "1.2.3"}) {
        CAPTURE(interface);
        const std::string text =
            messageOf<InvalidAddressError>([&] { reactor.listenTCP(0, factory, {.interface = interface}); });
        CHECK(contains(text, interface));
        const std::string bound = messageOf<InvalidAddressError>(
            [&] { reactor.connectTCP("127.0.0.1", 9, factory, {.bindHost = interface}); });
        CHECK(contains(bound, interface));
    }
    CHECK_THROWS_AS(reactor.connectTCP("", 9, factory), std::invalid_argument);
    CHECK_THROWS_AS(reactor.listenTCP(0, nullptr), std::invalid_argument);
    CHECK_THROWS_AS(reactor.connectTCP("127.0.0.1", 9, nullptr), std::invalid_argument);
    CHECK_THROWS_AS(reactor.listenTCP(0, factory, {.backlog = 0}), std::invalid_argument);
    CHECK_THROWS_AS(reactor.connectTCP("127.0.0.1", 9, factory, {.timeout = -1ms}), std::invalid_argument);
    CHECK(factory->started == 0);
    CHECK(reactor.endpoints().empty());
}

TEST_CASE("S-77: a port in use is a CannotListenError that names interface, port and reason") {
    UvReactor reactor;
    const RawSocket taken = RawSocket::listen();
    const auto factory = HookedFactory::make();
    try {
        reactor.listenTCP(taken.port(), factory, {.interface = "127.0.0.1"});
        FAIL("it listens");
    } catch (const CannotListenError& error) {
        CHECK(error.code() == EADDRINUSE);
        CHECK(contains(error.what(), "127.0.0.1"));
        CHECK(contains(error.what(), std::to_string(taken.port())));
        CHECK(contains(error.what(), describeErrno(EADDRINUSE)));
    }
    CHECK(factory->started == 0);
    CHECK(reactor.endpoints().empty());
}

TEST_CASE("S-77: an address of no interface of ours is a CannotListenError that names it") {
    UvReactor reactor;
    const auto factory = HookedFactory::make();
    const std::string text =
        messageOf<CannotListenError>([&] { reactor.listenTCP(0, factory, {.interface = "192.0.2.1"}); });
    CHECK(contains(text, "192.0.2.1"));
    CHECK(contains(text, describeErrno(EADDRNOTAVAIL)));
    CHECK(factory->started == 0);
}

TEST_CASE("S-77: a port that needs a right is a CannotListenError that says so") {
    if (unprivilegedFrom() <= 1)
        return support::reportSkip("network", "every port is free for all here");
    UvReactor reactor;
    const WithoutRights withoutRights;
    if (!withoutRights.worked())
        return support::reportSkip("network", "root cannot give its rights up here");
    const std::string text =
        messageOf<CannotListenError>([&] { reactor.listenTCP(1, HookedFactory::make(), {.interface = "127.0.0.1"}); });
    CHECK(contains(text, "127.0.0.1"));
    CHECK(contains(text, describeErrno(EACCES)));
}

TEST_CASE("a refused connection fails with ConnectionRefusedError, which names the destination") {
    UvReactor reactor;
    const RawSocket nobody = RawSocket::bound();
    const Failure failure = failureOf(reactor, "127.0.0.1", nobody.port());
    CHECK(failure.check<ConnectionRefusedError>());
    CHECK(failure.code() == ECONNREFUSED);
    CHECK(contains(failure.getErrorMessage(), "127.0.0.1:" + std::to_string(nobody.port())));
}

TEST_CASE("an unreachable destination fails with NoRouteError, which names it") {
    UvReactor reactor;
    const Failure failure = failureOf(reactor, "127.255.255.255", 9); // all of the loopback network: not for TCP
    CHECK(failure.check<NoRouteError>());
    CHECK(contains(failure.getErrorMessage(), "127.255.255.255:9"));
}

TEST_CASE("a connection that nobody answers fails with TimeoutError, which names destination and time") {
    UvReactor reactor;
    const RawSocket full = RawSocket::listen(0);
    std::vector<RawSocket> fill;
    bool taken = true;
    for (int i = 0; i < 16; ++i)
        taken = fill.emplace_back(RawSocket::unconnected()).tryConnect(full.port());
    REQUIRE_FALSE(taken); // the backlog is full: the kernel drops what comes
    const Failure failure = failureOf(reactor, "127.0.0.1", full.port(), {.timeout = 20ms});
    CHECK(failure.check<TimeoutError>());
    CHECK(contains(failure.getErrorMessage(), "127.0.0.1:" + std::to_string(full.port())));
    CHECK(contains(failure.getErrorMessage(), "20 ms"));
}

TEST_CASE("a local address that cannot be bound fails with ConnectBindError, which names it") {
    UvReactor reactor;
    const RawSocket listener = RawSocket::listen();
    const Failure failure = failureOf(reactor, "127.0.0.1", listener.port(), {.bindHost = "192.0.2.1"});
    CHECK(failure.check<ConnectBindError>());
    CHECK(contains(failure.getErrorMessage(), "192.0.2.1"));
    const Failure family = failureOf(reactor, "127.0.0.1", listener.port(), {.bindHost = "::1"});
    CHECK(family.check<ConnectBindError>());
    CHECK(contains(family.getErrorMessage(), "::1"));
}

TEST_CASE("a name that has no address fails with DNSLookupError, which names it") {
    UvReactor reactor;
    const std::string name = "a..name"; // that no name service is asked for
    const Failure failure = failureOf(reactor, name, 9);
    CHECK(failure.check<DNSLookupError>());
    CHECK(contains(failure.getErrorMessage(), name));
}

TEST_CASE("a resolver that throws, or finds nothing, fails the attempt and nothing else") {
    UvReactor reactor;
    reactor.setResolver(std::make_unique<ScriptedResolver>(
        [](const std::string&, std::uint16_t, const Resolver::Callback&) -> std::unique_ptr<Resolver::Lookup> {
            throw std::runtime_error("the resolver is broken");
        }));
    CHECK(failureOf(reactor, "example.test", 9).getErrorMessage() == "the resolver is broken");
    reactor.setResolver(
        std::make_unique<ScriptedResolver>([&reactor](const std::string&, std::uint16_t, Resolver::Callback callback) {
            reactor.callLater(0s, [c = std::move(callback)]() mutable { c({}, {}); });
            return std::make_unique<Resolver::Lookup>();
        }));
    const Failure failure = failureOf(reactor, "example.test", 9);
    CHECK(failure.check<DNSLookupError>());
    CHECK(contains(failure.getErrorMessage(), "example.test"));
}
