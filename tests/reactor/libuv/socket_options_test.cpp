// Socket options: what was asked for is set, or somebody is told which option it was.

#include "support/hooked_protocol.hpp"
#include "support/link.hpp"
#include "support/log_capture.hpp"
#include "support/run_until.hpp"

#include <reactor/errors.hpp>
#include <reactor/libuv/uv_reactor.hpp>

#include <doctest/doctest.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string>
#include <system_error>

using namespace std::chrono_literals;
using namespace torsion;
using namespace torsion::test;

namespace {

/// Puts a socket in the descriptor's place that knows no option of TCP.
void replaceSocket(int fd) {
    const int other = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    REQUIRE(other >= 0);
    REQUIRE(::dup2(other, fd) == fd);
    ::close(other);
}

int optionOf(int fd, int level, int option) {
    int value = -1;
    socklen_t size = sizeof value;
    ::getsockopt(fd, level, option, &value, &size);
    return value;
}

constexpr StreamOptions kOptions{.keepAlive = KeepAlive{.idle = 77s, .interval = 7s, .count = 3},
                                 .userTimeout = 1234ms};

void checkOptions(Transport& transport) {
    const int fd = transport.as<TcpTransport>()->socketDescriptor();
    CHECK(optionOf(fd, IPPROTO_TCP, TCP_NODELAY) == 1);
    CHECK(optionOf(fd, SOL_SOCKET, SO_KEEPALIVE) == 1);
    CHECK(optionOf(fd, IPPROTO_TCP, TCP_KEEPIDLE) == 77);
    CHECK(optionOf(fd, IPPROTO_TCP, TCP_KEEPINTVL) == 7);
    CHECK(optionOf(fd, IPPROTO_TCP, TCP_KEEPCNT) == 3);
    CHECK(optionOf(fd, IPPROTO_TCP, TCP_USER_TIMEOUT) == 1234);
}

} // namespace

TEST_CASE("stream options hold on both sides of a connection from its first callback on") {
    LogCapture quiet;
    int checked = 0;
    const HookedProtocol::Hooks hooks{.made = [&](HookedProtocol& self) {
        checkOptions(*self.transport);
        ++checked;
    }};
    UvReactor reactor;
    const auto server = std::make_shared<HookedProtocol>(hooks);
    const auto client = std::make_shared<HookedProtocol>(hooks);
    const auto port = reactor.listenTCP(0, HookedFactory::of(server), {.interface = "127.0.0.1", .stream = kOptions});
    reactor.connectTCP("127.0.0.1", port->getHost().port(), HookedFactory::of(client), {.stream = kOptions});
    CHECK(runUntil(reactor, [&] { return checked == 2; }));
}

TEST_CASE("an option that cannot be set on a listening socket is CannotListenError, which names it") {
    LogCapture quiet;
    UvReactor reactor;
    const auto factory = HookedFactory::make();
    try {
        reactor.listenTCP(0, factory, {.interface = "127.0.0.1", .configureSocket = replaceSocket});
        FAIL("it listens");
    } catch (const CannotListenError& error) {
        CHECK(error.code() == EOPNOTSUPP);
        CHECK(std::string(error.what()).find("cannot set TCP_NODELAY") != std::string::npos);
    }
    CHECK(factory->started == 0);
}

TEST_CASE("an option that cannot be set fails an attempt to connect with ConnectError, which names it") {
    LogCapture quiet;
    UvReactor reactor;
    const auto factory = HookedFactory::make();
    reactor.connectTCP("127.0.0.1", 9, factory,
                       {.stream = {.noDelay = false, .userTimeout = 1s}, .configureSocket = replaceSocket});
    CHECK(runUntil(reactor, [&] { return factory->failures == 1; }));
    CHECK(factory->reason.check<ConnectError>());
    CHECK(factory->reason.getErrorMessage().find("cannot set TCP_USER_TIMEOUT") != std::string::npos);
}

TEST_CASE("a setter of a connection throws, naming the option that the system refuses") {
    LogCapture quiet;
    Link link;
    TcpTransport& tcp = *link.client->transport->as<TcpTransport>();
    const int fd = tcp.socketDescriptor();
    const int kept = ::dup(fd);
    replaceSocket(fd);
    CHECK_THROWS_WITH_AS(tcp.setTcpNoDelay(false), doctest::Contains("TCP_NODELAY"), std::system_error);
    CHECK_THROWS_WITH_AS(tcp.setTcpKeepAlive(KeepAlive{}), doctest::Contains("TCP_KEEPIDLE"), std::system_error);
    CHECK_THROWS_WITH_AS(tcp.setTcpUserTimeout(1s), doctest::Contains("TCP_USER_TIMEOUT"), std::system_error);
    ::dup2(kept, fd);
    ::close(kept);
}

TEST_CASE("a setter of a connection that is lost does nothing") {
    LogCapture quiet;
    bool set = false;
    Link link({}, {.lost = [&](HookedProtocol& self) {
                  TcpTransport& tcp = *self.transport->as<TcpTransport>();
                  tcp.setTcpNoDelay(false);
                  tcp.setTcpKeepAlive(KeepAlive{});
                  tcp.setTcpUserTimeout(1s);
                  set = true;
              }});
    link.client->transport->abortConnection();
    CHECK(link.untilLost());
    CHECK(set);
}
