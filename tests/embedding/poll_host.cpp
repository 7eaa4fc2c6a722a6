#include <reactor/embedding/poll.hpp>

#include "embedding/host.hpp"
#include "embedding/own_events.hpp"

#include <reactor/libuv/uv_reactor.hpp>

#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <stdexcept>

using namespace std::chrono_literals;

namespace torsion::test {

namespace {

/// A program's own loop around poll.
class PollingHost final : public Host {
public:
    void attach(Embedding embedding) override { inside_.emplace(std::move(embedding)); }
    void detach() override { inside_.reset(); }
    Dispatched dispatch() override { return inside_->dispatch(); }
    bool forks() const noexcept override { return true; }
    bool dispatchesEachTurn() const noexcept override { return true; }

    bool runUntil(CallableRef<bool()> condition, Milliseconds limit) override {
        const auto end = OwnEvents::Clock::now() + limit;
        while (!condition()) {
            if (OwnEvents::Clock::now() > end)
                return false;
            std::vector<pollfd> watched = events_.watched();
            const Milliseconds wait = events_.wait(end);
            if (inside_)
                inside_->turn(watched, wait);
            else
                ::poll(watched.data(), watched.size(), static_cast<int>(wait.count()));
            events_.callDue(watched);
        }
        return true;
    }

    void after(Milliseconds delay, std::function<void()> f) override { events_.after(delay, std::move(f)); }
    void watch(int descriptor, std::function<void()> f) override { events_.watch(descriptor, std::move(f)); }

private:
    OwnEvents events_;
    std::optional<PollHost> inside_;
};

const RegisterHost registered{{"poll", &makeHost<PollingHost>, {}}};
const RegisterHost single{{"poll, single descriptor", &makeHost<PollingHost>, {.singleDescriptor = true}}};

} // namespace

TEST_CASE("PollHost may be destroyed in a turn, or a run, inside of its own") {
    for (const bool runs : {false, true}) {
        UvReactor reactor;
        auto host = std::make_unique<PollHost>(reactor.embed());
        const auto wait = [&] { runs ? host->run() : static_cast<void>(host->turn()); };
        bool returned = false;
        reactor.start();
        reactor.callLater(0ms, [&] {
            reactor.callLater(0ms, [&] { host.reset(); });
            wait();
            returned = true;
        });
        wait();
        CHECK(returned);
        CHECK(host == nullptr);
    }
}

TEST_CASE("PollHost leaves onChange to the program, also when its end comes") {
    UvReactor reactor;
    Embedding embedding = reactor.embed();
    int changes = 0;
    embedding.onChange([&] { ++changes; });
    {
        PollHost host(embedding);
        reactor.callLater(1h, [] {});
        CHECK(changes == 1);
    }
    embedding.timeout();
    reactor.callLater(0ms, [] {});
    CHECK(changes == 2);
}

TEST_CASE("PollHost is refused beside another host, and another host beside it") {
    UvReactor reactor;
    Embedding embedding = reactor.embed();
    {
        PollHost host(embedding);
        CHECK_THROWS_AS(PollHost{embedding}, std::logic_error);
        CHECK_THROWS_AS(embedding.onGone([] {}), std::logic_error);
        host.turn({}, 0ms);
    }
    embedding.onGone([] {});
    CHECK_THROWS_AS(PollHost{embedding}, std::logic_error);
}

TEST_CASE("pollTimeout() is the shorter of the reactor's and the host's waits, in what poll can take") {
    UvReactor reactor;
    Embedding embedding = reactor.embed();
    embedding.dispatch();
    CHECK(pollTimeout(embedding) == -1);
    CHECK(pollTimeout(embedding, 5ms) == 5);
    CHECK(pollTimeout(embedding, -5ms) == 0);
    CHECK(pollTimeout(embedding, std::chrono::milliseconds::max()) == 0x7fffffff);
    reactor.callLater(0ms, [] {});
    CHECK(pollTimeout(embedding, 5ms) == 0);
}

} // namespace torsion::test
