#pragma once

#include <reactor/clock.hpp>
#include <reactor/core/timer_queue.hpp>

#include <exception>
#include <initializer_list>

namespace torsion::testing {

/// A clock that stands still until it is told to go on: for tests without waiting. It begins at TimePoint() and at
/// 2001-01-01 00:00:00 UTC.
///
/// advance() steps: now() moves to the time of the next call, the call is made, and so on to the end. So every call
/// sees its own time (on purpose unlike Twisted's, where all see the final one: S-141). Each step is a turn in the
/// sense of S-132: what a call schedules without delay waits for the next step, or for the one that every advance()
/// makes at its end; what is scheduled in that last one waits for the next advance(), which may be advance(0s). Hence a
/// call that keeps scheduling itself runs once a step, and no advance() is endless (unlike Twisted's, S-132).
///
/// Everything may be called inside its calls, advance() too; but it is not destroyed there.
class Clock final : public torsion::Clock, private TimerQueue::Host {
public:
    Clock();

    TimePoint now() const override { return now_; }
    TimePoint freshNow() const override { return now_; }
    std::chrono::system_clock::time_point wall() const override;
    std::vector<DelayedCall> getDelayedCalls() const override { return queue_.getDelayedCalls(); }

    /// Moves the time on by `span` and makes what becomes due, in order. When calls throw, the others are made all the
    /// same; then the first exception is thrown again, and others are logged.
    /// Throws std::invalid_argument when `span` is negative or not a number.
    template <class Rep, class Period>
    void advance(std::chrono::duration<Rep, Period> span) {
        advanceBy(toDuration(span));
    }

    /// As advance(), to a moment that is not past. Throws std::invalid_argument when it is.
    void advanceTo(TimePoint time);

    /// Advances by each span in turn: what is scheduled without delay gets that many turns more. Exceptions as in
    /// advance(): all is done before the first is thrown.
    void pump(std::initializer_list<Duration> spans);

    /// Sets the date that belongs to this moment, for tests of what happens when it jumps. now() is not touched.
    void setWall(std::chrono::system_clock::time_point date) noexcept;

    /// What has been done with the queue: proves that something costs no queue operation.
    const TimerQueue::Counters& counters() const noexcept { return queue_.counters(); }

protected:
    DelayedCall schedule(Duration delay, Function<void()>&& call) override;

private:
    TimePoint readTime() override { return now_; }
    void advanceBy(Duration span);
    void step(TimePoint target, std::exception_ptr& firstError);
    void turn(TimePoint time, std::exception_ptr& firstError);

    TimePoint now_;
    std::chrono::system_clock::time_point wallAtStart_; // the date at TimePoint()
    TimerQueue queue_;
};

} // namespace torsion::testing
