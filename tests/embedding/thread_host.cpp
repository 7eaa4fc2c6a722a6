#include <reactor/embedding/thread.hpp>

#include "embedding/host.hpp"
#include "embedding/posted_host.hpp"
#include "embedding/suite.hpp"
#include "support/log_capture.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

using namespace std::chrono_literals;

namespace torsion::test {

namespace {

using Clock = std::chrono::steady_clock;

/// A host that can only be posted to.
class ThreadHost final : public Host {
public:
    ~ThreadHost() override {
        inside_.reset();
        watches_.clear();
    }

    void attach(Embedding embedding) override {
        inside_.emplace(std::move(embedding), [this](std::function<void()> f) { loop_.post(std::move(f)); });
    }
    void detach() override { inside_.reset(); }
    Dispatched dispatch() override { return inside_->dispatch(); }

    bool runUntil(CallableRef<bool()> condition, Milliseconds limit) override {
        const auto end = Clock::now() + limit;
        if (inside_)
            inside_->refresh(); // as a dialog does
        while (!condition()) {
            if (Clock::now() > end)
                return false;
            loop_.turn(end);
        }
        return true;
    }

    void after(Milliseconds delay, std::function<void()> f) override { loop_.after(delay, std::move(f)); }
    void watch(int descriptor, std::function<void()> f) override {
        watches_.erase(descriptor);
        watches_.try_emplace(descriptor, loop_, descriptor, std::move(f));
    }

private:
    PostedLoop loop_;
    std::map<int, PostedWatch> watches_;
    std::optional<ThreadAdapter> inside_;
};

const RegisterHost registered{{"posted to", &makeHost<ThreadHost>, {}}};
const RegisterHost single{{"posted to, single descriptor", &makeHost<ThreadHost>, {.singleDescriptor = true}}};

/// A reactor in a loop that is posted to, by hand.
struct Posting {
    explicit Posting(ThreadAdapter::Post post)
        : inside(std::make_unique<ThreadAdapter>(reactor.embed(), std::move(post))) {}
    Posting() : Posting([this](std::function<void()> f) { loop.post(std::move(f)); }) {}

    template <class F>
    bool until(F&& condition) {
        const auto end = Clock::now() + 20s;
        while (!condition()) {
            if (Clock::now() > end)
                return false;
            loop.turn(Clock::now() + 1ms);
        }
        return true;
    }

    PostedLoop loop; // longer than what posts to it
    UvReactor reactor;
    std::unique_ptr<ThreadAdapter> inside;
};

} // namespace

TEST_CASE("ThreadAdapter ends while a function is posted, which does nothing when it is called later") {
    Posting host;
    bool called = false;
    host.reactor.callLater(0ms, [&] { called = true; });
    while (host.loop.waiting() == 0)
        std::this_thread::yield();
    host.inside.reset();
    while (host.loop.waiting() != 0)
        host.loop.turn(Clock::now());
    CHECK_FALSE(called);
}

TEST_CASE("ThreadAdapter posts again what its host has dropped") {
    Posting host;
    bool called = false;
    host.reactor.callLater(0ms, [&] { called = true; });
    for (int i = 0; i < 2; ++i) {
        while (host.loop.drop() == 0)
            std::this_thread::yield();
    }
    CHECK_FALSE(called);
    CHECK(host.until([&] { return called; }));
}

TEST_CASE("ThreadAdapter posts nothing while a function is posted, and a function that is called twice does so once") {
    std::vector<std::function<void()>> posted;
    std::mutex mutex;
    Posting host([&](std::function<void()> f) {
        const std::lock_guard lock(mutex);
        posted.push_back(std::move(f));
    });
    const auto take = [&] {
        for (;; std::this_thread::yield()) {
            const std::lock_guard lock(mutex);
            if (!posted.empty())
                return std::exchange(posted, {});
        }
    };
    int calls = 0;
    host.reactor.callLater(0ms, [&] { ++calls; });
    const auto first = take();
    host.reactor.callLater(0ms, [&] { ++calls; });
    host.reactor.callFromThread([&] { ++calls; });
    CHECK(first.size() == 1);
    const auto before = host.inside->embedding().dispatches();
    first.front()();
    first.front()();
    CHECK(calls == 3);
    CHECK(host.inside->embedding().dispatches() == before + 1);
    host.reactor.callFromThread([&] { ++calls; });
    for (int i = 0; i < 100 && calls < 4; ++i)
        take().front()();
    CHECK(calls == 4);
}

TEST_CASE("ThreadAdapter logs what its host's post throws, and tries again") {
    const LogCapture log;
    std::atomic<int> failures{2};
    PostedLoop loop;
    UvReactor reactor;
    ThreadAdapter inside(reactor.embed(), [&](std::function<void()> f) {
        if (failures-- > 0)
            throw std::runtime_error("the host's queue is full");
        loop.post(std::move(f));
    });
    bool called = false;
    reactor.callLater(0ms, [&] { called = true; });
    while (!called)
        loop.turn(Clock::now() + 1ms);
    CHECK(log.count("the host's queue is full") == 2);
}

TEST_CASE("ThreadAdapter is refused as the second on a reactor, and ends its thread") {
    Posting host;
    Embedding embedding = host.inside->embedding();
    CHECK_THROWS_AS(ThreadAdapter(embedding, [](const auto&) {}), std::logic_error);
    bool called = false;
    host.reactor.callLater(0ms, [&] { called = true; });
    CHECK(host.until([&] { return called; }));
}

TEST_CASE("ThreadAdapter is made and destroyed a thousand times beside a reactor that never rests") {
    Posting host;
    Embedding embedding = host.inside->embedding();
    host.inside.reset();
    std::function<void()> again = [&] { host.reactor.callLater(0ms, again); };
    again();
    for (int i = 0; i < 1000; ++i) {
        ThreadAdapter inside(embedding, [&](std::function<void()> f) { host.loop.post(std::move(f)); });
        host.loop.turn(Clock::now());
    }
    again = [] {};
}

} // namespace torsion::test
