// Descriptors are exhausted.

#include "support/hooked_protocol.hpp"
#include "support/link.hpp"
#include "support/log_capture.hpp"
#include "support/raw_socket.hpp"
#include "support/run_until.hpp"
#include "support/skip.hpp"

#include <reactor/detail/sanitizer.hpp>
#include <reactor/errors.hpp>
#include <reactor/libuv/uv_reactor.hpp>

#include <doctest/doctest.h>

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <vector>

using namespace torsion;
using namespace torsion::test;

namespace {

/// Takes all descriptors there are, under a limit that is low as long as this object lives.
class NoDescriptors {
public:
    NoDescriptors() {
        ::getrlimit(RLIMIT_NOFILE, &before_);
        const int highest = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
        taken_.push_back(highest);
        rlimit low = before_;
        low.rlim_cur = static_cast<rlim_t>(highest) + 8;
        ::setrlimit(RLIMIT_NOFILE, &low);
        for (int fd = 0; fd >= 0;) {
            fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
            if (fd >= 0)
                taken_.push_back(fd);
        }
    }
    ~NoDescriptors() { giveBack(); }
    NoDescriptors(const NoDescriptors&) = delete;
    NoDescriptors& operator=(const NoDescriptors&) = delete;

    void giveBack() {
        for (const int fd : taken_)
            ::close(fd);
        taken_.clear();
        ::setrlimit(RLIMIT_NOFILE, &before_);
    }

private:
    rlimit before_{};
    std::vector<int> taken_;
};

std::shared_ptr<HookedFactory> echoFactory() {
    return HookedFactory::make({.build = [] {
        return std::make_shared<HookedProtocol>(
            HookedProtocol::Hooks{.data = [](HookedProtocol& self) { self.transport->write(self.record->received); }});
    }});
}

/// UndefinedBehaviorSanitizer, which goes with it in our builds, opens pipes to look at an object's type: without
/// descriptors it takes every object for a wrong one.
bool skipsForSanitizer() {
    if (detail::kAddressSanitizer)
        support::reportSkip("sanitizer", "the sanitizer needs descriptors itself");
    return detail::kAddressSanitizer;
}

} // namespace

TEST_CASE("E18: without descriptors connections are turned away, said once and without a spin; then service goes on") {
    if (skipsForSanitizer())
        return;
    for (const Dispatch dispatch : kDispatches) {
        LogCapture log;
        UvReactor reactor(ReactorOptions{.dispatch = dispatch});
        const auto port = reactor.listenTCP(0, echoFactory(), {.interface = "127.0.0.1"});
        std::vector<RawSocket> peers;
        for (int i = 0; i < 4; ++i)
            peers.push_back(RawSocket::unconnected());
        RawSocket open = RawSocket::connectTo(port->getHost().port());
        open.send("a");
        CHECK(runUntil(reactor, [&] { return open.receive() == "a"; }));

        NoDescriptors exhausted;
        const std::uint64_t before = reactor.stats().turns;
        for (RawSocket& peer : peers) {
            peer.connect(port->getHost().port());
            CHECK(runUntil(reactor, [&] { return static_cast<void>(peer.receive()), peer.finished(); }));
        }
        CHECK(reactor.stats().connectionsRefused == peers.size());
        CHECK(log.count("no descriptors are left") == 1);
        CHECK(reactor.stats().turns - before < 200); // rests, 100 ms each time
        open.send("b");
        CHECK(runUntil(reactor, [&] { return open.receive() == "ab"; })); // what is open is served

        exhausted.giveBack();
        RawSocket served = RawSocket::connectTo(port->getHost().port());
        served.send("c");
        CHECK(runUntil(reactor, [&] { return served.receive() == "c"; }));
    }
}

TEST_CASE("without descriptors an attempt to connect fails with EMFILE, and listening throws it") {
    if (skipsForSanitizer())
        return;
    LogCapture quiet;
    UvReactor reactor;
    const RawSocket listener = RawSocket::listen();
    const auto factory = HookedFactory::make();
    NoDescriptors exhausted;
    reactor.connectTCP("127.0.0.1", listener.port(), factory);
    CHECK(factory->failures == 0);
    CHECK(runUntil(reactor, [&] { return factory->failures != 0; }));
    CHECK(factory->reason.check<ConnectError>());
    CHECK(factory->reason.code() == EMFILE);
    CHECK(factory->reason.getErrorMessage().find("127.0.0.1") != std::string::npos);
    int code = 0;
    try {
        reactor.listenTCP(0, HookedFactory::make(), {.interface = "127.0.0.1"});
    } catch (const CannotListenError& error) {
        code = error.code();
    }
    CHECK(code == EMFILE);
    CHECK_THROWS_AS(UvReactor(), std::system_error);
    exhausted.giveBack();
    CHECK(reactor.endpoints().empty());
}
