#include <reactor/connector.hpp>
#include <reactor/errors.hpp>
#include <reactor/factory.hpp>
#include <reactor/libuv/uv_reactor.hpp>
#include <reactor/protocol.hpp>

#include <doctest/doctest.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

using namespace torsion;
using namespace std::chrono_literals;

namespace {

/// Keeps what became of one connector.
class Outcome final : public ClientFactory {
public:
    Outcome() { noisy = false; }
    std::shared_ptr<Protocol> buildProtocol(const Address& peer) override {
        server = peer;
        return std::make_shared<Protocol>();
    }
    void clientConnectionFailed(const std::shared_ptr<Connector>&, const Failure& reason) override { failed = reason; }
    void clientConnectionLost(const std::shared_ptr<Connector>&, const Failure& reason) override { lost = reason; }

    bool done() const { return failed || lost || !server.isNone(); }

    Address server;
    Failure failed;
    Failure lost;
};

/// A loopback port that is taken, and where nobody listens: connecting there is refused, and nobody else can change it.
class TakenPort {
public:
    TakenPort() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        auto* general = reinterpret_cast<sockaddr*>(&address);
        REQUIRE(::bind(fd_, general, size) == 0);
        REQUIRE(::getsockname(fd_, general, &size) == 0);
        port_ = ntohs(address.sin_port);
    }
    TakenPort(const TakenPort&) = delete;
    TakenPort& operator=(const TakenPort&) = delete;
    ~TakenPort() { ::close(fd_); }
    std::uint16_t port() const { return port_; }

private:
    int fd_;
    std::uint16_t port_ = 0;
};

std::size_t openDescriptors() {
    DIR* directory = ::opendir("/proc/self/fd");
    REQUIRE(directory != nullptr);
    std::size_t count = 0;
    while (::readdir(directory) != nullptr)
        ++count;
    ::closedir(directory);
    return count;
}

/// No descriptor can be opened while it lives.
class NoDescriptors {
public:
    NoDescriptors() {
        REQUIRE(::getrlimit(RLIMIT_NOFILE, &before_) == 0);
        rlimit none = before_;
        none.rlim_cur = 0;
        REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
    }
    NoDescriptors(const NoDescriptors&) = delete;
    NoDescriptors& operator=(const NoDescriptors&) = delete;
    ~NoDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }

private:
    rlimit before_{};
};

struct Fixture {
    std::optional<UvReactor> made{std::in_place};
    UvReactor& reactor = *made;
    std::shared_ptr<Outcome> outcome = std::make_shared<Outcome>();

    template <class Condition>
    void runUntil(Condition done) {
        for (int i = 0; i < 1000 && !done(); ++i)
            reactor.iterate(100ms);
        REQUIRE(done());
    }
    std::shared_ptr<Connector> connect(std::uint16_t port, const ConnectOptions& options = {}) {
        auto connector = reactor.connectTCP("127.0.0.1", port, outcome, options);
        CHECK_FALSE(outcome->done()); // nothing is told inside the call
        return connector;
    }
    const Failure& failureOf(std::uint16_t port, const ConnectOptions& options = {}) {
        connect(port, options);
        runUntil([this] { return outcome->done(); });
        REQUIRE(outcome->failed);
        return outcome->failed;
    }
};

} // namespace

TEST_CASE_FIXTURE(Fixture, "S-103: a refused connection is a ConnectionRefusedError with its errno and address") {
    const TakenPort taken;
    const Failure& failure = failureOf(taken.port());
    CHECK(failure.check<ConnectionRefusedError>());
    CHECK(failure.code() == ECONNREFUSED);
    CHECK(failure.getErrorMessage() ==
          fmt::format("connecting to 127.0.0.1:{}: {}", taken.port(), describeErrno(ECONNREFUSED)));
}

TEST_CASE("S-103: a refused connection is told in the two-phase mode as well") {
    UvReactor reactor({.dispatch = Dispatch::TwoPhase});
    const TakenPort taken;
    const auto outcome = std::make_shared<Outcome>();
    reactor.connectTCP("127.0.0.1", taken.port(), outcome);
    for (int i = 0; i < 1000 && !outcome->done(); ++i)
        reactor.iterate(100ms);
    CHECK(outcome->failed.check<ConnectionRefusedError>());
}

TEST_CASE_FIXTURE(Fixture, "S-104: a local port that is taken is a ConnectBindError, told later") {
    const TakenPort taken;
    const Failure& failure = failureOf(1, {.bindHost = "127.0.0.1", .bindPort = taken.port()});
    CHECK(failure.check<ConnectBindError>());
    CHECK(failure.code() == EADDRINUSE);
    CHECK(failure.getErrorMessage().find(fmt::format("cannot bind 127.0.0.1:{}", taken.port())) != std::string::npos);
}

TEST_CASE_FIXTURE(Fixture,
                  "S-106, S-108: connected, the addresses are numeric and the local one is the one asked for") {
    const auto port = reactor.listenTCP(0, Factory::forProtocol<Protocol>(), {.interface = "127.0.0.1"});
    const auto connector = connect(port->getHost().port(), {.bindHost = "127.0.0.2"});
    runUntil([this] { return outcome->done(); });
    CHECK(outcome->server == port->getHost());
    CHECK(connector->transport().getPeer() == port->getHost());
    CHECK(connector->transport().getHost().host() == "127.0.0.2");
    connector->disconnect();
    runUntil([this] { return static_cast<bool>(outcome->lost); });
    CHECK(outcome->lost.check<ConnectionDone>());
}

TEST_CASE_FIXTURE(Fixture, "a name is looked up and connected to") {
    const auto port = reactor.listenTCP(0, Factory::forProtocol<Protocol>(), {.interface = "127.0.0.1"});
    reactor.connectTCP("localhost", port->getHost().port(), outcome);
    runUntil([this] { return outcome->done(); });
    CHECK(outcome->server == port->getHost());
}

TEST_CASE_FIXTURE(Fixture, "configureSocket gets a non-blocking, close-on-exec socket before it is bound") {
    const TakenPort taken;
    int flags = 0;
    int descriptorFlags = 0;
    in_port_t bound = 1;
    const auto look = [&](int fd) {
        sockaddr_in address{};
        socklen_t size = sizeof address;
        flags = ::fcntl(fd, F_GETFL);
        descriptorFlags = ::fcntl(fd, F_GETFD);
        ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
        bound = address.sin_port;
    };
    failureOf(taken.port(), {.bindPort = 0, .configureSocket = look});
    CHECK((flags & O_NONBLOCK) != 0);
    CHECK((descriptorFlags & FD_CLOEXEC) != 0);
    CHECK(bound == 0);
}

TEST_CASE_FIXTURE(Fixture, "what configureSocket throws is the attempt's failure") {
    const auto thrower = [](int) { throw std::out_of_range("the hook"); };
    const Failure& failure = failureOf(1, {.configureSocket = thrower});
    CHECK(failure.check<std::out_of_range>());
}

TEST_CASE_FIXTURE(Fixture, "a socket that is connected to itself counts as refused") {
    std::uint16_t port = 0;
    {
        const TakenPort taken;
        port = taken.port();
    }
    const Failure& failure = failureOf(port, {.bindHost = "127.0.0.1", .bindPort = port});
    CHECK(failure.check<ConnectionRefusedError>());
}

TEST_CASE_FIXTURE(Fixture, "without descriptors an attempt fails later, with the errno") {
    const NoDescriptors none;
    const Failure& failure = failureOf(1);
    CHECK(failure.check<ConnectError>());
    CHECK(failure.code() == EMFILE);
}

TEST_CASE_FIXTURE(Fixture, "an attempt that is given up, or whose reactor ends, leaves no descriptor open") {
    const TakenPort taken;
    const std::size_t before = openDescriptors();
    connect(taken.port())->stopConnecting();
    runUntil([this] { return outcome->done(); });
    CHECK(outcome->failed.check<UserError>());
    reactor.iterate(Duration::zero());
    CHECK(openDescriptors() == before);

    const std::size_t whileAlive = openDescriptors();
    outcome->failed = {};
    connect(taken.port());
    made.reset();
    CHECK(outcome->failed.check<CancelledError>());
    CHECK(openDescriptors() < whileAlive);
}
