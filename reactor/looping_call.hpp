#pragma once

#include <reactor/clock.hpp>
#include <reactor/deferred.hpp>
#include <reactor/detail/task_parts.hpp>
#include <reactor/function.hpp>
#include <reactor/time_point.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <source_location>
#include <type_traits>
#include <utility>

namespace torsion {

/// When a LoopingCall makes its first call.
enum class FirstCall {
    Now,          ///< inside start()
    AfterInterval ///< one interval after start()
};

/// Calls a function again and again, at fixed times: start, start + interval, start + 2 intervals, …
///
/// @code
/// LoopingCall beat_{reactor, [this] { sendHeartbeat(); }};
/// beat_.start(30s).addErrback([](const Failure& failure) { … }).detach();
/// @endcode
///
/// - A call that comes late moves no other: the next one is at the next of those times. Times that have passed
/// meanwhile
///   are skipped (S-183); withCount() tells the function how many.
/// - Where the function returns a Deferred the next call waits for it (S-184).
/// - A function that throws, or whose Deferred fails, ends the loop (S-182).
///
/// Owned by whoever made it; destroying it stops it, and cancels the Deferred of its function. Belongs to the clock's
/// thread. The function may do everything: stop, reset and destroy the loop, too.
class LoopingCall {
public:
    /// @param clock lives longer than this object.
    /// @param function called without arguments; returns whatever a callback of a Deferred may return.
    template <class F>
        requires std::is_invocable_v<std::decay_t<F>&>
    LoopingCall(Clock& clock, F&& function)
        : LoopingCall(clock, Counted([own = std::decay_t<F>(std::forward<F>(function))](std::int64_t) mutable {
                          return detail::callWithoutValue(own);
                      })) {}

    /// A loop that tells its function how many of its times have come since the call before: 1, and more where some
    /// were skipped; never 0. With an interval of 0 always 1 (S-186).
    /// @param function called with an std::int64_t.
    template <class F>
        requires std::is_invocable_v<std::decay_t<F>&, std::int64_t>
    static LoopingCall withCount(Clock& clock, F&& function) {
        return LoopingCall(clock,
                           Counted([own = std::decay_t<F>(std::forward<F>(function))](std::int64_t count) mutable {
                               return detail::callWithoutValue(own, count);
                           }));
    }

    ~LoopingCall();

    LoopingCall(const LoopingCall&) = delete;
    LoopingCall& operator=(const LoopingCall&) = delete;

    /// Begins. With FirstCall::Now the function is called before this returns (S-182).
    ///
    /// @param interval any chrono duration; 0: once a turn (S-187). Throws std::invalid_argument when negative.
    /// @return fires with this loop when it is stopped: for a function that still waits, when that has ended (S-185);
    ///     fails as the function fails, and with CancelledError when the clock ends. Fires with null when the loop is
    ///     destroyed running. Cancelling it stops the loop and cancels the Deferred of its function.
    /// Throws std::logic_error while the loop runs, or waits for its last call.
    template <class Rep, class Period>
    Deferred<LoopingCall*> start(std::chrono::duration<Rep, Period> interval, FirstCall first = FirstCall::Now,
                                 std::source_location place = std::source_location::current()) {
        return begin(toDuration(interval), first, place);
    }

    /// No further call. Throws std::logic_error when the loop does not run.
    void stop();

    /// Measures anew: the next call is one interval from now, and the others follow that (S-187). Throws
    /// std::logic_error when the loop does not run.
    void reset();

    /// From start() to stop() or a failure.
    bool isRunning() const noexcept;

    /// That of the last start().
    Duration interval() const noexcept;

private:
    struct State;
    using Counted = Function<Deferred<void>(std::int64_t)>;

    LoopingCall(Clock& clock, Counted function);

    Deferred<LoopingCall*> begin(Duration interval, FirstCall first, const std::source_location& place);

    std::shared_ptr<State> state_; // a call in progress has it, too
};

} // namespace torsion
