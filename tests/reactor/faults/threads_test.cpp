// Threads that post while the reactor runs, and while it is destroyed. Worth running with a thread sanitizer.

#include "support/gate.hpp"
#include "support/log_capture.hpp"
#include "support/run_until.hpp"

#include <reactor/libuv/uv_reactor.hpp>
#include <reactor/threads.hpp>

#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

using namespace torsion;
using namespace torsion::test;

namespace {

constexpr int kThreads = 4;
constexpr int kMaxPosts = 1'000'000; // of each thread; ended by the reactor's end long before

/// What each thread was promised, and what it got.
struct Tally {
    std::array<std::atomic<std::int64_t>, kThreads> accepted{};
    std::array<std::int64_t, kThreads> ran{}; // on the reactor's thread
    std::atomic<std::int64_t> alive{0};       // calls that exist
    bool inOrder = true;
};

/// A posted call, whose every copy is counted.
class Call {
public:
    Call(Tally& tally, int thread, std::int64_t number) : tally_(&tally), thread_(thread), number_(number) {
        ++tally.alive;
    }
    Call(Call&& other) noexcept : tally_(other.tally_), thread_(other.thread_), number_(other.number_) {
        ++tally_->alive;
    }
    ~Call() { --tally_->alive; }

    void operator()() {
        std::int64_t& ran = tally_->ran[static_cast<std::size_t>(thread_)];
        tally_->inOrder = tally_->inOrder && ran == number_;
        ++ran;
    }

private:
    Tally* tally_;
    int thread_;
    std::int64_t number_;
};

void postUntilRefused(const Remote& remote, Tally& tally, int thread) {
    auto& accepted = tally.accepted[static_cast<std::size_t>(thread)];
    for (int i = 0; i < kMaxPosts; ++i) {
        if (!remote.post(Call(tally, thread, i)))
            return;
        ++accepted;
        if (i % 64 == 63)
            std::this_thread::yield();
    }
}

/// Gives `result` when the gate is open.
struct Blocks {
    std::shared_ptr<Gate> gate;
    int operator()(int result) const { return gate->pass() ? result : -1; }
};

} // namespace

TEST_CASE("S-143: remote().post from four threads during destruction: calls run once, in order, or are dropped") {
    LogCapture quiet;
    for (const Dispatch dispatch : {Dispatch::Direct, Dispatch::TwoPhase}) {
        for (int round = 0; round < 10; ++round) {
            Tally tally;
            std::vector<std::thread> threads;
            {
                UvReactor reactor(ReactorOptions{.dispatch = dispatch});
                for (int i = 0; i < kThreads; ++i)
                    threads.emplace_back(
                        [remote = reactor.remote(), &tally, i] { postUntilRefused(remote, tally, i); });
                CHECK(runUntil(reactor, [&] {
                    for (const std::int64_t ran : tally.ran) {
                        if (ran < 100 * round)
                            return false;
                    }
                    return true;
                }));
            }
            for (std::thread& thread : threads)
                thread.join();
            CHECK(tally.inOrder);
            CHECK(tally.alive == 0);
            for (std::size_t i = 0; i < kThreads; ++i)
                CHECK(tally.ran[i] <= tally.accepted[i]);
        }
    }
}

TEST_CASE("S-143: what four threads post before a reactor stops is all run") {
    LogCapture quiet;
    constexpr std::int64_t kEach = 500;
    Tally tally;
    UvReactor reactor;
    std::vector<std::thread> threads;
    std::atomic<int> finished{0};
    for (int i = 0; i < kThreads; ++i) {
        threads.emplace_back([&reactor, &tally, &finished, i] {
            for (std::int64_t n = 0; n < kEach; ++n)
                reactor.callFromThread(Call(tally, i, n));
            if (++finished == kThreads)
                reactor.callFromThread([&reactor] { reactor.stop(); });
        });
    }
    reactor.run();
    for (std::thread& thread : threads)
        thread.join();
    CHECK(tally.inOrder);
    for (const std::int64_t ran : tally.ran)
        CHECK(ran == kEach);
    CHECK(tally.alive == 0);
}

TEST_CASE("S-147: run() returns without a call that blocks its thread, and tells nobody that it waits") {
    LogCapture log;
    const auto gate = std::make_shared<Gate>();
    int result = 0;
    UvReactor reactor;
    reactor.getThreadPool().configure({.maxThreads = 1, .stopTimeout = std::chrono::milliseconds(1)});
    reactor.callWhenRunning([&] {
        deferToThread(reactor, Blocks{gate}, 1).addCallback([&](int got) { result = got; }).detach();
        reactor.callLater(std::chrono::milliseconds(0), [&] {
            gate->awaitArrivals(1);
            reactor.stop();
        });
    });
    reactor.run();
    CHECK(result == 0);
    CHECK(log.count("1 of its calls ran, which go on: ") == 1);
    CHECK(log.contains("Blocks;")); // and nothing of what the library wraps around it
    CHECK_FALSE(log.contains("ThreadJob"));
    gate->open();
    CHECK(runUntil(reactor, [&] { return result != 0; }));
    CHECK(result == 1);
}
