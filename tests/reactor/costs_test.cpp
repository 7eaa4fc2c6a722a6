// What the byte path, idle connections and timers cost, proven by counting (not by time).

#include "support/hooked_protocol.hpp"
#include "support/link.hpp"
#include "support/log_capture.hpp"
#include "support/raw_socket.hpp"
#include "support/run_until.hpp"
#include "support/skip.hpp"
#include "support/syscall_count.hpp"

#include <reactor/idle_timeout.hpp>
#include <reactor/libuv/uv_reactor.hpp>

#include <doctest/doctest.h>

#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

using namespace std::chrono_literals;
using namespace torsion;
using namespace torsion::test;

namespace {

constexpr int kEchoes = 10'000;
constexpr int kWarmUp = 100;

class Echo : public Protocol {
    void dataReceived(std::string_view data) override { transport->write(data); }
};

/// An echo that throttles: while what it wrote is not gone it reads no more.
class ThrottledEcho : public Protocol, private PushProducer {
    void connectionMade() override { transport->registerProducer(static_cast<PushProducer&>(*this)); }
    void dataReceived(std::string_view data) override { transport->write(data); }
    void resumeProducing() override { transport->resumeProducing(); }
    void pauseProducing() override { transport->pauseProducing(); }
    void stopProducing() override {}
};

/// Answers in ten pieces.
class TenWrites : public Protocol {
    void dataReceived(std::string_view) override {
        for (int i = 0; i < 10; ++i)
            transport->write("x");
    }
};

/// A reactor that serves one raw peer.
struct Served {
    Served(Dispatch dispatch, const std::shared_ptr<Factory>& factory)
        : reactor(ReactorOptions{.dispatch = dispatch}),
          port(reactor.listenTCP(0, factory, {.interface = "127.0.0.1"})),
          peer(RawSocket::connectTo(port->getHost().port())) {}

    /// Sends a question and takes the answer of `size` bytes; false when it did not come.
    bool ask(std::string_view question, std::size_t size) {
        if (peer.send(question) != question.size())
            return false;
        std::size_t received = 0;
        for (int i = 0; i < 1000 && received < size; ++i) {
            reactor.iterate(1ms);
            received += peer.receive().size();
        }
        return received == size;
    }

    LogCapture quiet;
    UvReactor reactor;
    std::shared_ptr<ListeningPort> port;
    RawSocket peer;
};

/// What `count` questions cost after warming up.
Costs costOf(Served& served, std::string_view question, std::size_t answer, int count) {
    for (int i = 0; i < kWarmUp; ++i)
        REQUIRE(served.ask(question, answer));
    const SyscallCount counter;
    bool answered = true;
    for (int i = 0; i < count && answered; ++i)
        answered = served.ask(question, answer);
    const Costs costs = counter.get();
    REQUIRE(answered);
    return costs;
}

template <class P>
void checkEchoes(std::string_view question, std::size_t answer) {
    for (const Dispatch dispatch : kDispatches) {
        Served served(dispatch, Factory::forProtocol<P>());
        const Costs costs = costOf(served, question, answer, kEchoes);
        CHECK(costs.allocations == 0);
        CHECK(costs.controls == 0);
        CHECK(costs.receives == kEchoes);
        CHECK(costs.sends == kEchoes);
    }
}

void reportCannotCount() {
    support::reportSkip("sanitizer", "a sanitizer wraps the functions that are counted");
}

/// Lets this process have `count` descriptors while it lives, if it may. (Only a privileged one may have more than its
/// hard limit; it can go back then, too.)
class DescriptorLimit {
public:
    explicit DescriptorLimit(rlim_t count) {
        ::getrlimit(RLIMIT_NOFILE, &before_);
        const rlimit wanted{.rlim_cur = std::max(before_.rlim_cur, count),
                            .rlim_max = std::max(before_.rlim_max, count)};
        allowed_ = ::setrlimit(RLIMIT_NOFILE, &wanted) == 0;
    }
    DescriptorLimit(const DescriptorLimit&) = delete;
    DescriptorLimit& operator=(const DescriptorLimit&) = delete;
    ~DescriptorLimit() { ::setrlimit(RLIMIT_NOFILE, &before_); }

    bool isEnough() const noexcept { return allowed_; }

private:
    rlimit before_{};
    bool allowed_ = false;
};

constexpr std::size_t kMany = 10'000;

/// The peers of many connections, in a process of their own: both ends would need more descriptors than many a system
/// gives to one. @returns whether each got back what it sent.
bool holdAndEcho(std::uint16_t port) {
    std::vector<RawSocket> peers;
    for (std::size_t i = 0; i < kMany; ++i)
        peers.push_back(RawSocket::connectTo(port));
    for (int round = 0; round < 3; ++round) {
        for (std::size_t i = 0; i < kMany; ++i)
            peers[i].send(std::to_string(i));
        for (std::size_t i = 0; i < kMany; ++i) {
            pollfd answer{.fd = peers[i].fd(), .events = POLLIN, .revents = 0};
            if (::poll(&answer, 1, 20'000) != 1 || peers[i].receive() != std::to_string(i))
                return false;
        }
    }
    for (std::size_t i = 0; i < kMany; i += 2)
        peers[i].reset();
    return true;
}

constexpr int kAllCameBack = 0;
constexpr int kSomethingLost = 1;
constexpr int kPeersFailed = 2;

/// The whole life of the peers' process. Nothing of the test program's may run in it, whatever happens.
[[noreturn]] void runPeers(std::uint16_t port) noexcept {
    int status = kPeersFailed;
    try {
        status = holdAndEcho(port) ? kAllCameBack : kSomethingLost;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "the peers' process: %s\n", error.what());
    }
    ::_exit(status);
}

} // namespace

TEST_CASE("an echo costs one receive and one send: no allocation, no epoll_ctl, in 10,000") {
    if (!SyscallCount::works())
        return reportCannotCount();
    // Answers are short: the peer's std::string keeps them without the heap.
    SUBCASE("plain") {
        checkEchoes<Echo>("0123456789", 10);
    }
    SUBCASE("with a push producer, which throttles") {
        checkEchoes<ThrottledEcho>("0123456789", 10);
    }
    SUBCASE("ten writes in one dataReceived are one send") {
        checkEchoes<TenWrites>("?", 10);
    }
}

TEST_CASE("the counting counts") {
    if (!SyscallCount::works())
        return reportCannotCount();
    const SyscallCount counter;
    const std::int64_t heap = SyscallCount::heapBytes();
    auto block = std::make_unique<char[]>(1000);
    char* const volatile seen = block.get(); // or a compiler leaves out what nobody sees
    CHECK(seen != nullptr);
    CHECK(counter.get().allocations == 1);
    CHECK(SyscallCount::heapBytes() - heap >= 1000);
    block.reset();
    CHECK(SyscallCount::heapBytes() == heap);
    struct alignas(64) Aligned {
        char bytes[64];
    };
    auto aligned = std::make_unique<Aligned>();
    char* const volatile seenToo = aligned->bytes;
    CHECK(seenToo != nullptr);
    CHECK(counter.get().allocations == 2);
    aligned.reset();
    CHECK(SyscallCount::heapBytes() == heap);
    const RawSocket listener = RawSocket::listen();
    const RawSocket peer = RawSocket::connectTo(listener.port());
    CHECK(::write(peer.fd(), "x", 1) == 1);
    char byte = 0;
    CHECK(::recv(peer.fd(), &byte, 1, MSG_DONTWAIT) == -1);
    CHECK(counter.get().sends == 1);
    CHECK(counter.get().receives == 1);
}

TEST_CASE("re-arming an idle time-out a million times touches no queue and allocates nothing") {
    UvReactor reactor;
    int timeouts = 0;
    IdleTimeout idle(reactor, [&] { ++timeouts; });
    idle.set(1h);
    const auto before = reactor.getDelayedCalls();
    REQUIRE(before.size() == 1);
    const TimePoint due = before.front().getTime();
    reactor.iterate(); // the loop's own descriptors are added to epoll in the first
    const SyscallCount counter;
    for (int i = 0; i < 1'000'000; ++i) {
        if (i % 10'000 == 0)
            reactor.iterate();
        idle.touch();
    }
    CHECK(counter.get().allocations == 0);
    CHECK(counter.get().controls == 0);
    const auto after = reactor.getDelayedCalls();
    REQUIRE(after.size() == 1);
    CHECK(after.front() == before.front()); // the same call, where it was
    CHECK(after.front().getTime() == due);
    CHECK(reactor.stats().timersRun == 0);
    CHECK(timeouts == 0);
}

TEST_CASE("an idle connection costs at most 1 KiB of heap besides the user's objects") {
    if (!SyscallCount::works())
        return reportCannotCount();
    constexpr int kConnections = 1000;
    const DescriptorLimit limit(3 * kConnections);
    if (!limit.isEnough())
        return support::reportSkip("network", "too few descriptors");
    LogCapture quiet;
    for (const Dispatch dispatch : kDispatches) {
        std::vector<std::shared_ptr<Protocol>> protocols; // made before, and so not counted
        for (int i = 0; i < kConnections; ++i)
            protocols.push_back(std::make_shared<Echo>());
        std::vector<RawSocket> peers(kConnections);
        int built = 0;
        UvReactor reactor(ReactorOptions{.dispatch = dispatch});
        const auto factory = Factory::fromFunction([&](const Address&) { return protocols.at(built++); });
        const auto port = reactor.listenTCP(0, factory, {.interface = "127.0.0.1"});
        const std::int64_t before = SyscallCount::heapBytes();
        for (RawSocket& peer : peers) {
            peer = RawSocket::connectTo(port->getHost().port());
            peer.send("hello");
            reactor.iterate();
        }
        std::size_t answered = 0;
        CHECK(runUntil(reactor, [&] {
            while (answered < peers.size() && peers[answered].receive() == "hello")
                ++answered;
            return answered == peers.size();
        }));
        const std::int64_t each = (SyscallCount::heapBytes() - before) / kConnections;
        MESSAGE("bytes of heap for an idle connection: ", each);
        CHECK(each <= 1024);
    }
}

TEST_CASE("S-132: callLater(0) for ever starves neither connections nor timers nor threads") {
    for (const Dispatch dispatch : kDispatches) {
        Served served(dispatch, Factory::forProtocol<Echo>());
        int calls = 0;
        std::function<void()> again = [&] {
            ++calls;
            served.reactor.callLater(0s, [&] { again(); });
        };
        again();
        bool timed = false;
        bool posted = false;
        served.reactor.callLater(1ms, [&] { timed = true; });
        served.reactor.callFromThread([&] { posted = true; });
        for (int i = 0; i < 100; ++i)
            CHECK(served.ask("hello", 5));
        CHECK(runUntil(served.reactor, [&] { return timed && posted; }));
        CHECK(calls >= 100);
    }
}

TEST_CASE("S-132: callLater(0) for ever starves nobody in run(), and stop() ends it") {
    LogCapture quiet;
    UvReactor reactor;
    std::function<void()> again = [&] { reactor.callLater(0s, [&] { again(); }); };
    again();
    const auto server = std::make_shared<HookedProtocol>(
        ProtocolHooks{.data = [](HookedProtocol& self) { self.transport->write("answer"); }});
    const auto client = std::make_shared<HookedProtocol>(
        ProtocolHooks{.made = [](HookedProtocol& self) { self.transport->write("question"); },
                      .data = [](HookedProtocol& self) { self.transport->reactor().stop(); }});
    const auto port = reactor.listenTCP(0, HookedFactory::of(server), {.interface = "127.0.0.1"});
    reactor.connectTCP("127.0.0.1", port->getHost().port(), HookedFactory::of(client));
    reactor.run();
    CHECK(client->record->received == "answer");
    CHECK(server->record->lost + client->record->lost == 2);
}

TEST_SUITE("long") {
    TEST_CASE("10,000 connections are held, echoed and closed, and nothing is lost") {
        const DescriptorLimit limit(kMany + 200);
        if (!limit.isEnough())
            return support::reportSkip("network", "too few descriptors");
        LogCapture quiet;
        for (const Dispatch dispatch : kDispatches) {
            UvReactor reactor(ReactorOptions{.dispatch = dispatch});
            const auto port = reactor.listenTCP(0, Factory::forProtocol<Echo>(), {.interface = "127.0.0.1"});
            const pid_t peers = ::fork();
            REQUIRE(peers >= 0);
            if (peers == 0)
                runPeers(port->getHost().port());
            CHECK(runUntil(reactor, [&] { return reactor.stats().connections == kMany; }));
            CHECK(runUntil(reactor, [&] { return reactor.stats().connections == 0; }));
            int status = -1;
            CHECK(::waitpid(peers, &status, 0) == peers);
            REQUIRE(WIFEXITED(status));
            CHECK(WEXITSTATUS(status) == kAllCameBack); // what each had sent, each time
            CHECK(reactor.stats().connectionsMade == kMany);
            CHECK(reactor.stats().connectionsLost == kMany);
            CHECK(reactor.stats().connectionsRefused == 0);
        }
    }
}
