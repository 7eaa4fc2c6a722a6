#pragma once

#include <reactor/detail/delayed_call_node.hpp>
#include <reactor/time_point.hpp>

#include <chrono>
#include <utility>

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

    /// Whether the call has been made, or is being made.
    bool called() const noexcept { return call_.get() != nullptr && call_->state == detail::DelayedCallState::Called; }

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

} // namespace torsion
