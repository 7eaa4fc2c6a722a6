// Options of real sockets, as the kernel has them.

#include "support/hooked_protocol.hpp"
#include "support/raw_socket.hpp"
#include "support/run_until.hpp"
#include "support/skip.hpp"

#include <reactor/errors.hpp>
#include <reactor/libuv/uv_reactor.hpp>

#include <doctest/doctest.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <memory>
#include <optional>
#include <system_error>
#include <vector>

using namespace std::chrono_literals;
using namespace torsion;
using namespace torsion::test;

namespace {

int getOption(int fd, int level, int option) {
    int value = -1;
    socklen_t size = sizeof value;
    CHECK(::getsockopt(fd, level, option, &value, &size) == 0);
    return value;
}

/// Both ends of a connection of one reactor.
struct Ends {
    explicit Ends(const StreamOptions& forServer, const StreamOptions& forClient) {
        const auto port =
            reactor.listenTCP(0, HookedFactory::of(server), {.interface = "127.0.0.1", .stream = forServer});
        reactor.connectTCP("127.0.0.1", port->getHost().port(), HookedFactory::of(client), {.stream = forClient});
        REQUIRE(runUntil(reactor, [this] { return server->record->made + client->record->made == 2; }));
    }

    static int descriptor(const HookedProtocol& protocol) {
        return protocol.transport->as<TcpTransport>()->socketDescriptor();
    }

    std::shared_ptr<HookedProtocol> server = std::make_shared<HookedProtocol>();
    std::shared_ptr<HookedProtocol> client = std::make_shared<HookedProtocol>();
    UvReactor reactor;
};

const StreamOptions kAll{
    .noDelay = false, .keepAlive = KeepAlive{.idle = 7s, .interval = 3s, .count = 5}, .userTimeout = 12'345ms};

void checkAll(int fd) {
    CHECK(getOption(fd, IPPROTO_TCP, TCP_NODELAY) == 0);
    CHECK(getOption(fd, SOL_SOCKET, SO_KEEPALIVE) == 1);
    CHECK(getOption(fd, IPPROTO_TCP, TCP_KEEPIDLE) == 7);
    CHECK(getOption(fd, IPPROTO_TCP, TCP_KEEPINTVL) == 3);
    CHECK(getOption(fd, IPPROTO_TCP, TCP_KEEPCNT) == 5);
    CHECK(getOption(fd, IPPROTO_TCP, TCP_USER_TIMEOUT) == 12'345);
}

void checkDefaults(int fd) {
    CHECK(getOption(fd, IPPROTO_TCP, TCP_NODELAY) == 1);
    CHECK(getOption(fd, SOL_SOCKET, SO_KEEPALIVE) == 0);
    CHECK(getOption(fd, IPPROTO_TCP, TCP_USER_TIMEOUT) == 0);
}

/// The error with which listening fails; 0 when it does not.
int listenError(Reactor& reactor, int port, const ListenOptions& options) {
    try {
        reactor.listenTCP(port, HookedFactory::make(), options);
        return 0;
    } catch (const CannotListenError& error) {
        return error.code();
    }
}

/// A port on all IPv6 addresses; null where there are none.
std::shared_ptr<ListeningPort> listenOnIPv6(Reactor& reactor, const std::shared_ptr<Factory>& factory, bool dualStack) {
    try {
        return reactor.listenTCP(0, factory, {.interface = "::", .dualStack = dualStack});
    } catch (const CannotListenError& error) {
        REQUIRE((error.code() == EAFNOSUPPORT || error.code() == EADDRNOTAVAIL));
        support::reportSkip("network", "no IPv6");
        return nullptr;
    }
}

/// The errno with which an IPv4 client fails to connect; 0 when it does not.
int connectError(std::uint16_t port) {
    try {
        RawSocket::connectTo(port);
        return 0;
    } catch (const std::system_error& error) {
        return error.code().value();
    }
}

} // namespace

TEST_CASE("an accepted connection has the options of its port, and the kernel's are what was asked for") {
    const Ends ends(kAll, {});
    checkAll(Ends::descriptor(*ends.server));
    checkDefaults(Ends::descriptor(*ends.client));
}

TEST_CASE("a connection of connectTCP has the options that were asked for, and its peer has its own") {
    const Ends ends({}, kAll);
    checkAll(Ends::descriptor(*ends.client));
    checkDefaults(Ends::descriptor(*ends.server));
}

TEST_CASE("what TcpTransport sets on an open connection is what the kernel has") {
    const Ends ends({}, {});
    for (const HookedProtocol* each : {ends.server.get(), ends.client.get()}) {
        TcpTransport& tcp = *each->transport->as<TcpTransport>();
        tcp.setTcpNoDelay(kAll.noDelay);
        tcp.setTcpKeepAlive(kAll.keepAlive);
        tcp.setTcpUserTimeout(kAll.userTimeout);
        checkAll(tcp.socketDescriptor());
        tcp.setTcpNoDelay(true);
        tcp.setTcpKeepAlive(std::nullopt);
        tcp.setTcpUserTimeout(0ms);
        checkDefaults(tcp.socketDescriptor());
    }
}

TEST_CASE("two ports share a number where both ask for it, and a third that does not is refused") {
    UvReactor reactor;
    const auto first = HookedFactory::make();
    const auto second = HookedFactory::make();
    int shared = -1;
    const auto look = [&](int fd) { shared = getOption(fd, SOL_SOCKET, SO_REUSEPORT); };
    const ListenOptions sharing{.interface = "127.0.0.1", .reusePort = true, .configureSocket = look};
    const auto port = reactor.listenTCP(0, first, sharing);
    CHECK(shared == 1);
    const std::uint16_t number = port->getHost().port();
    const auto other = reactor.listenTCP(number, second, sharing);
    CHECK(other->getHost() == port->getHost());
    CHECK(listenError(reactor, number, {.interface = "127.0.0.1"}) == EADDRINUSE);
    std::vector<RawSocket> clients;
    for (int i = 0; i < 16; ++i)
        clients.push_back(RawSocket::connectTo(number));
    CHECK(runUntil(reactor, [&] { return first->built + second->built == 16; }));
    port->stopListening().detach();
    const int before = second->built;
    clients.push_back(RawSocket::connectTo(number)); // the other goes on alone
    CHECK(runUntil(reactor, [&] { return second->built == before + 1; }));
}

TEST_CASE("a port that does not ask to share its number keeps it for itself") {
    UvReactor reactor;
    int shared = -1;
    const auto look = [&](int fd) { shared = getOption(fd, SOL_SOCKET, SO_REUSEPORT); };
    const auto port = reactor.listenTCP(0, HookedFactory::make(), {.interface = "127.0.0.1", .configureSocket = look});
    CHECK(shared == 0);
    CHECK(listenError(reactor, port->getHost().port(), {.interface = "127.0.0.1", .reusePort = true}) == EADDRINUSE);
}

TEST_CASE("an IPv4 client reaches a port on all IPv6 addresses") {
    UvReactor reactor;
    const auto factory = HookedFactory::make();
    const auto port = listenOnIPv6(reactor, factory, true);
    if (!port)
        return;
    const RawSocket client = RawSocket::connectTo(port->getHost().port());
    CHECK(runUntil(reactor, [&] { return factory->built == 1; }));
}

TEST_CASE("an IPv4 client does not reach a port on all IPv6 addresses without dualStack") {
    UvReactor reactor;
    const auto factory = HookedFactory::make();
    const auto port = listenOnIPv6(reactor, factory, false);
    if (!port)
        return;
    const std::uint16_t number = port->getHost().port();
    CHECK(connectError(number) == ECONNREFUSED);
    CHECK(listenError(reactor, number, {.interface = "127.0.0.1"}) == 0); // the number is free there
}
