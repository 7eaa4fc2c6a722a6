#include <reactor/embedding/frame.hpp>

#include "embedding/host.hpp"
#include "embedding/own_events.hpp"
#include "embedding/suite.hpp"
#include "support/hosted.hpp"

#include <doctest/doctest.h>

#include <functional>
#include <optional>

using namespace std::chrono_literals;

namespace torsion::test {

namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kFrame = 2ms; // a quick one: tests wait for many of them

/// A game's loop: what the game does, once a frame, and the reactor for the rest of it.
class FrameHost final : public Host {
public:
    void attach(Embedding embedding) override { inside_.emplace(std::move(embedding)); }
    void detach() override { inside_.reset(); }
    Dispatched dispatch() override { return inside_->dispatch(); }
    bool forks() const noexcept override { return true; }
    int idleWakeUps() const noexcept override { return 1s / kFrame; }

    bool runUntil(CallableRef<bool()> condition, Milliseconds limit) override {
        const auto end = Clock::now() + limit;
        while (!condition()) {
            if (Clock::now() > end)
                return false;
            std::vector<pollfd> watched = events_.watched();
            ::poll(watched.data(), watched.size(), 0);
            events_.callDue(watched);
            if (inside_)
                inside_->until(Clock::now() + kFrame, [&] { return condition(); });
            else
                ::poll(nullptr, 0, 1);
        }
        return true;
    }

    void after(Milliseconds delay, std::function<void()> f) override { events_.after(delay, std::move(f)); }
    void watch(int descriptor, std::function<void()> f) override { events_.watch(descriptor, std::move(f)); }

private:
    OwnEvents events_;
    std::optional<FrameAdapter> inside_;
};

const RegisterHost registered{{"frames", &makeHost<FrameHost>, {}}};
const RegisterHost single{{"frames, single descriptor", &makeHost<FrameHost>, {.singleDescriptor = true}}};

struct Game {
    explicit Game(std::chrono::microseconds budget = {}) : inside(reactor.embed({.budget = budget})) {}
    UvReactor reactor;
    FrameAdapter inside;
};

} // namespace

TEST_CASE("FrameAdapter::frame() does what there is to do, and says that nothing is left") {
    Game game;
    int calls = 0;
    game.reactor.callLater(0ms, [&] {
        ++calls;
        game.reactor.callLater(0ms, [&] { ++calls; });
    });
    game.reactor.callFromThread([&] { ++calls; });
    CHECK_FALSE(game.inside.frame(10s));
    CHECK(calls == 3);
    const auto before = game.inside.embedding().dispatches();
    CHECK_FALSE(game.inside.frame(10s));
    CHECK(game.inside.embedding().dispatches() == before);
}

TEST_CASE("FrameAdapter::frame() ends with its budget, and the next one goes on") {
    Game game(1us);
    int calls = 0;
    for (int i = 0; i < 20; ++i) {
        game.reactor.callLater(0ms, [&] {
            ++calls;
            work(game.reactor, 5us);
        });
    }
    int frames = 0;
    while (frames < 1000 && game.inside.frame(1us))
        ++frames;
    CHECK(calls == 20);
    CHECK(frames >= 18);
}

TEST_CASE("FrameAdapter::frame() without an end does all there is") {
    Game game(std::chrono::microseconds::max());
    int calls = 0;
    std::function<void()> again = [&] {
        if (++calls < 100)
            game.reactor.callLater(0ms, again);
    };
    game.reactor.callLater(0ms, again);
    CHECK_FALSE(game.inside.frame(std::chrono::microseconds::max()));
    CHECK(calls == 100);
}

TEST_CASE("FrameAdapter::until() answers at once, and returns at the frame's end") {
    Game game;
    const auto begin = Clock::now();
    std::optional<Clock::time_point> called;
    game.reactor.callLater(1ms, [&] { called = Clock::now(); });
    game.inside.until(begin + 20ms);
    CHECK(Clock::now() >= begin + 20ms);
    CHECK(called.has_value());
    CHECK(*called < begin + 20ms); // a timer after it was seen to in the same frame
}

TEST_CASE("FrameAdapter::until() returns early when a callback wants the next frame") {
    Game game;
    bool called = false;
    game.reactor.callLater(0ms, [&] { called = true; });
    game.inside.until(Clock::now() + 1h, [&] { return called; });
    CHECK(called);
}

TEST_CASE("FrameAdapter::until() of a frame that is late already dispatches what is ready") {
    Game game;
    bool called = false;
    game.reactor.callLater(0ms, [&] { called = true; });
    game.inside.until(Clock::now() - 1ms);
    CHECK(called);
    called = false;
    game.reactor.callLater(0ms, [&] { called = true; });
    game.inside.until(Clock::time_point::min());
    CHECK(called);
}

TEST_CASE("FrameAdapter::until() waits for the frame's end when there is nothing left to serve") {
    for (const bool byReactor : {true, false}) {
        auto reactor = std::make_unique<UvReactor>();
        auto inside = std::make_unique<FrameAdapter>(reactor->embed());
        reactor->onStopped([&] { reactor.reset(); });
        reactor->callLater(0ms, [&] {
            if (byReactor)
                return reactor->stop();
            inside.reset();
        });
        reactor->start();
        const auto end = Clock::now() + 5ms;
        inside->until(end);
        CHECK(Clock::now() >= end);
        CHECK((byReactor ? reactor == nullptr : inside == nullptr));
    }
}

} // namespace torsion::test
