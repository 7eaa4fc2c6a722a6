#pragma once

#include <reactor/clock.hpp>
#include <reactor/deferred.hpp>

#include <chrono>
#include <source_location>
#include <utility>

namespace torsion {

/// Calls `function` once, `delay` from now, and gives what comes of it as a Deferred (S-188). Cancelling before that
/// cancels the timer; so does the end of the clock: `function` is not called then, and the Deferred fails with
/// CancelledError. Cancelling later cancels the Deferred that `function` has returned, if it did.
///
/// @param clock must not be destroyed inside one of its calls.
/// @param delay any chrono duration; throws std::invalid_argument when it is negative.
/// @param function called without arguments; returns whatever a callback of a Deferred may return.
template <class Rep, class Period, class F>
auto deferLater(Clock& clock, std::chrono::duration<Rep, Period> delay, F&& function,
                std::source_location place = std::source_location::current()) {
    return clock.sleep(delay, place).addCallback(std::forward<F>(function));
}

/// As Clock::sleep: the delay alone.
template <class Rep, class Period>
Deferred<void> deferLater(Clock& clock, std::chrono::duration<Rep, Period> delay,
                          std::source_location place = std::source_location::current()) {
    return clock.sleep(delay, place);
}

} // namespace torsion
