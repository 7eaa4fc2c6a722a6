#pragma once

#include <reactor/clock.hpp>

#include <optional>

namespace torsion {

/// Calls back when nothing has happened for a while: what protocols and policies share for their time-outs. After
/// Twisted's TimeoutMixin, but a member instead of a base class, and it is off when it is destroyed (on purpose unlike
/// S-207: there a time-out fires on a dead transport).
///
/// @code
/// IdleTimeout idle_{clock, [this] { transport->loseConnection(); }};
/// idle_.set(30s);   // from connectionMade
/// idle_.touch();    // from dataReceived
/// @endcode
///
/// touch() is a store. The one delayed call looks, when it is made, how long ago that was, and goes on for what
/// remains: n touches cost at most one queue operation in the time of the time-out.
///
/// Belongs to the clock's thread. Everything may be called inside the callback, and the object destroyed there.
class IdleTimeout {
public:
    /// Off until set() is called.
    /// @param clock lives longer than this object.
    /// @param onTimeout called when the time has passed. It is off then, until set() is called again. Exceptions go to
    ///     the clock, as those of every timed call.
    IdleTimeout(Clock& clock, Function<void()> onTimeout) noexcept : clock_(clock), onTimeout_(std::move(onTimeout)) {}
    ~IdleTimeout();

    IdleTimeout(const IdleTimeout&) = delete;
    IdleTimeout& operator=(const IdleTimeout&) = delete;

    /// Sets the time-out and begins to measure now.
    /// @param period how long nothing may happen; std::nullopt switches it off.
    /// @return the previous period, also where that has passed (S-207).
    /// Throws std::invalid_argument when the period is negative, and changes nothing then.
    std::optional<Duration> set(std::optional<Duration> period);

    /// Something happened: begins to measure anew, from the time of the turn. Does nothing while off.
    void touch() noexcept { lastTouch_ = clock_.now(); }

    std::optional<Duration> period() const noexcept { return period_; }

    /// Whether it is on: set, and not timed out.
    bool active() const noexcept { return call_.active(); }

private:
    void arm(Duration delay);
    void expire();
    void notify();

    Clock& clock_;
    Function<void()> onTimeout_;
    std::optional<Duration> period_;
    TimePoint lastTouch_;
    bool* destroyed_ = nullptr; // of the notify() in progress
    ScopedCall call_;
};

} // namespace torsion
