#pragma once

#include <reactor/clock.hpp>
#include <reactor/core/timer_queue.hpp>

#include <chrono>
#include <utility>
#include <vector>

namespace torsion::test {

/// A clock as a reactor has it that comes late: advance() jumps to the end and makes there, in one turn, what has
/// become due on the way; block() lets time pass inside of a call, unseen by now().
class LateClock final : public Clock, private TimerQueue::Host {
public:
    LateClock() : queue_(*this) {}

    TimePoint now() const override { return turn_; }
    TimePoint freshNow() const override { return time_; }
    std::chrono::system_clock::time_point wall() const override { return {}; }
    std::vector<DelayedCall> getDelayedCalls() const override { return queue_.getDelayedCalls(); }

    void advance(Duration span) {
        time_ += span;
        turn_ = time_;
        queue_.runDue(turn_, [](Function<void()>& call) { call(); });
    }

    /// A callback of the turn takes so long.
    void block(Duration span) noexcept { time_ += span; }

protected:
    DelayedCall schedule(Duration delay, Function<void()>&& call) override {
        return queue_.schedule(time_ + delay, std::move(call));
    }

private:
    TimePoint readTime() override { return time_; }

    TimePoint time_;
    TimePoint turn_; // time_ at the turn's beginning
    TimerQueue queue_;
};

} // namespace torsion::test
