#pragma once

#include <reactor/deferred.hpp>
#include <reactor/delayed_call.hpp>
#include <reactor/function.hpp>
#include <reactor/time_point.hpp>

#include <chrono>
#include <source_location>
#include <type_traits>
#include <utility>
#include <vector>

namespace torsion {

/// Time, and calls at a time: what a reactor and torsion::testing::Clock have in common. Code that takes a Clock& can
/// be tested without waiting.
///
/// Belongs to one thread. All may be called inside callbacks.
class Clock {
public:
    virtual ~Clock() = default;

    /// The time of the turn: steady, never going back, read at most once a turn and only when somebody asks (S-133).
    /// After a long callback it lies behind; callLater does not.
    virtual TimePoint now() const = 0;

    /// The time, read afresh with each call: what callLater counts from. For measuring inside a callback; steady, too.
    virtual TimePoint freshNow() const = 0;

    /// The date and time of day, which may jump either way. For people and protocols, not for measuring.
    virtual std::chrono::system_clock::time_point wall() const = 0;

    /// Calls `call` once, `delay` from now, never earlier. Calls of the same time are made in the order in which they
    /// were scheduled (S-131). One that is scheduled inside another waits for the next turn, even without delay: a
    /// call that keeps scheduling itself starves nobody (S-132).
    ///
    /// @param delay any chrono duration. One that reaches past the end of time never ends.
    /// @param call what to call, without arguments; moved or copied in.
    /// @return a handle that may be dropped.
    /// Throws std::invalid_argument when `delay` is negative or not a number (S-130), and when `call` is null.
    template <class Rep, class Period, class F>
        requires std::is_constructible_v<Function<void()>, F>
    DelayedCall callLater(std::chrono::duration<Rep, Period> delay, F&& call) {
        return scheduleChecked(toDuration(delay), Function<void()>(std::forward<F>(call)));
    }

    /// A Deferred that fires `delay` from now, `co_await clock.sleep(5ms)`. Cancelling it cancels the timer; so does
    /// the end of the clock: both fail it with CancelledError. Throws as callLater does.
    template <class Rep, class Period>
    Deferred<void> sleep(std::chrono::duration<Rep, Period> delay,
                         std::source_location place = std::source_location::current()) {
        return sleepFor(toDuration(delay), place);
    }

    /// The calls that are still to happen, in the order in which they would; without those that the library makes for
    /// itself (S-138).
    virtual std::vector<DelayedCall> getDelayedCalls() const = 0;

protected:
    Clock() = default;
    Clock(const Clock&) = default;
    Clock& operator=(const Clock&) = default;

    /// What callLater does. `delay` is not negative, `call` is not empty. The time is read afresh here.
    virtual DelayedCall schedule(Duration delay, Function<void()>&& call) = 0;

private:
    DelayedCall scheduleChecked(Duration delay, Function<void()>&& call);
    Deferred<void> sleepFor(Duration delay, const std::source_location& place);
};

} // namespace torsion
