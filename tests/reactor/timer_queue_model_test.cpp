// TimerQueue against a sorted map that does the same.

#include <doctest/doctest.h>

#include <reactor/core/timer_queue.hpp>
#include <reactor/errors.hpp>
#include <reactor/timer_queue_support.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <random>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using torsion::DelayedCall;
using torsion::Duration;
using torsion::Function;
using torsion::TimePoint;
using torsion::TimerQueue;
using torsion::test::QueueHost;

namespace {

/// Does the same to a queue and to a sorted map, and compares.
class ModelTest {
public:
    explicit ModelTest(std::uint32_t seed)
        : random_(seed), queue_(host_, seed % 2 == 0 ? 0 : std::numeric_limits<std::uint32_t>::max() - seed % 997) {}

    void run(int operations) {
        for (int i = 0; i < operations; ++i) {
            change();
            if (upTo(8) == 0)
                turn();
            if (i % 64 == 0)
                compare();
        }
        draining_ = true;
        host_.time += 1h;
        turn();
        CHECK(expected_.empty());
        CHECK(queue_.nextDue() == std::nullopt);
    }

private:
    using Key = std::pair<TimePoint, std::uint64_t>;
    struct Call {
        DelayedCall handle;
        std::optional<Key> key; // while pending
    };

    int upTo(int n) { return static_cast<int>(random_() % static_cast<std::uint32_t>(n)); }

    // Few different times, so that many are equal.
    Duration someSpan() { return upTo(12) * 1ms; }

    void change() {
        const int kind = upTo(10);
        if (kind < 4 || calls_.empty())
            add();
        else
            alter(static_cast<std::size_t>(upTo(static_cast<int>(calls_.size()))), kind);
    }

    void add() {
        const std::size_t id = calls_.size();
        const TimePoint due = host_.time + someSpan();
        calls_.push_back({queue_.schedule(due, [this, id] { made(id); }), std::nullopt});
        expect(id, due);
    }

    void alter(std::size_t id, int kind) {
        DelayedCall handle = calls_[id].handle;
        CHECK(handle.active() == calls_[id].key.has_value());
        if (!handle.active()) {
            CHECK_THROWS_AS(handle.cancel(), torsion::Error);
            return;
        }
        expected_.erase(*std::exchange(calls_[id].key, std::nullopt));
        if (kind < 6) {
            handle.cancel();
        } else if (kind < 8) {
            const Duration span = someSpan();
            handle.reset(span);
            expect(id, host_.time + span);
        } else {
            const Duration span = someSpan() - 6ms;
            const TimePoint due = handle.getTime() + span;
            handle.delay(span);
            CHECK(handle.getTime() == due);
            expect(id, due);
        }
    }

    void expect(std::size_t id, TimePoint due) {
        const Key key(inTurn_ ? std::max(due, host_.time) : due, order_++);
        calls_[id].key = key;
        expected_.emplace(key, id);
    }

    void turn() {
        host_.time += someSpan() / 2;
        turnEnd_ = order_;
        inTurn_ = true;
        bool stopped = false;
        queue_.runDue(host_.time, [&](Function<void()>& call) {
            call();
            stopped = !draining_ && upTo(16) == 0;
            return !stopped;
        });
        inTurn_ = false;
        CHECK((stopped || !nextInTurn().has_value()));
    }

    std::optional<std::size_t> nextInTurn() const {
        if (expected_.empty())
            return std::nullopt;
        const auto& [key, id] = *expected_.begin();
        return key.first <= host_.time && key.second < turnEnd_ ? std::optional(id) : std::nullopt;
    }

    void made(std::size_t id) {
        REQUIRE(nextInTurn() == id);
        expected_.erase(expected_.begin());
        calls_[id].key.reset();
        for (int i = draining_ ? 0 : upTo(3); i > 0; --i)
            change();
    }

    void compare() const {
        std::vector<DelayedCall> handles;
        for (const auto& [key, id] : expected_)
            handles.push_back(calls_[id].handle);
        REQUIRE(queue_.getDelayedCalls() == handles);
        CHECK(queue_.size() == expected_.size());
        for (const Duration span : {-3ms, 0ms, 3ms}) {
            const auto after = expected_.upper_bound({host_.time + span, std::numeric_limits<std::uint64_t>::max()});
            const auto time = after != expected_.end() ? std::optional(after->first.first) : std::nullopt;
            CHECK(queue_.nextDueAfter(host_.time + span) == time);
        }
    }

    std::mt19937 random_;
    QueueHost host_;
    std::vector<Call> calls_;
    std::map<Key, std::size_t> expected_;
    std::uint64_t order_ = 0;
    std::uint64_t turnEnd_ = 0;
    bool inTurn_ = false;
    bool draining_ = false; // calls change nothing any more
    TimerQueue queue_;      // destroyed first: its callables refer to the rest
};

} // namespace

TEST_CASE("S-131, S-132, S-134, S-136: a queue does what a sorted map does, for any sequence of operations") {
    for (std::uint32_t seed = 1; seed <= 40; ++seed) {
        CAPTURE(seed);
        ModelTest(seed).run(1500);
    }
}
