#pragma once

#include <reactor/detail/delayed_call_node.hpp>
#include <reactor/function.hpp>
#include <reactor/time_point.hpp>

#include <chrono>
#include <utility>
#include <vector>

namespace torsion {

/// A handle of a call that was scheduled with Clock::callLater. Copies name the same call. Dropping it stops nothing;
/// ScopedCall cancels. It may outlive its clock, which cancels what is pending when it is destroyed.
///
/// Belongs to the clock's thread. All of it may be used inside callbacks, the call's own included: there the call
/// counts as called (S-134). Default constructed it names no call.
class DelayedCall {
public:
    DelayedCall() noexcept = default;

    /// For clocks.
    explicit DelayedCall(detail::DelayedCallRef call) noexcept : call_(std::move(call)) {}

    /// The call will not happen. Its callable is destroyed before this returns (S-135).
    /// Throws AlreadyCalled or AlreadyCancelled (S-134); AlreadyCancelled, too, when the handle names no call.
    void cancel();

    /// The call will happen `fromNow` after the time it is now, sooner or later than planned (S-136). Among calls of
    /// the same time it is the last, as if it had just been scheduled.
    /// Throws as cancel() does, and std::invalid_argument when `fromNow` is negative or not a number.
    template <class Rep, class Period>
    void reset(std::chrono::duration<Rep, Period> fromNow) {
        resetFromNow(toDuration(fromNow));
    }

    /// Adds `span` to the time of the call; a negative one makes it sooner, at the earliest in the next turn (S-136).
    /// Among calls of the same time it is the last. Throws as cancel() does.
    template <class Rep, class Period>
    void delay(std::chrono::duration<Rep, Period> span) {
        delayBy(toDuration(span));
    }

    /// Whether the call is still to happen.
    bool active() const noexcept { return call_.get() != nullptr && call_->state == detail::DelayedCallState::Pending; }

    /// When the call is due, or was. TimePoint::max() when the handle names no call.
    TimePoint getTime() const noexcept { return call_.get() != nullptr ? call_->due : TimePoint::max(); }

    /// Whether both name the same call, or none.
    friend bool operator==(const DelayedCall& a, const DelayedCall& b) noexcept {
        return a.call_.get() == b.call_.get();
    }

private:
    detail::DelayedCallNode& pending() const;
    void resetFromNow(Duration fromNow);
    void delayBy(Duration span);

    detail::DelayedCallRef call_;
};

/// A delayed call that is cancelled when this object is destroyed or given another: for members whose callables
/// capture `this`.
///
///     ScopedCall greeting_;
///     greeting_ = clock.callLater(5s, [this] { greet(); });
///
/// Belongs to the clock's thread. May be destroyed or assigned inside the call itself.
class ScopedCall {
public:
    ScopedCall() noexcept = default;
    ScopedCall(DelayedCall call) noexcept : call_(std::move(call)) {}
    ScopedCall(ScopedCall&& other) noexcept : call_(std::move(other.call_)) {}
    ScopedCall& operator=(ScopedCall&& other) noexcept {
        // The old call is cancelled last: its callable's destructor may use this object.
        const ScopedCall old(std::exchange(call_, std::move(other.call_)));
        return *this;
    }
    ~ScopedCall() { cancel(); }

    /// Cancels the call if it is still to happen; does nothing otherwise.
    void cancel() noexcept;

    /// Gives the call away; it is not cancelled any more.
    DelayedCall release() noexcept { return std::move(call_); }

    /// The call, to reset or ask.
    DelayedCall& call() noexcept { return call_; }

    bool active() const noexcept { return call_.active(); }

private:
    DelayedCall call_;
};

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
};

} // namespace torsion
