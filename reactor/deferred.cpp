#include <reactor/deferred.hpp>

#include <reactor/clock.hpp>
#include <reactor/errors.hpp>

#include <spdlog/fmt/fmt.h>

namespace torsion::detail {

DelayedCall cancelAfter(Clock& clock, Duration timeout, Canceller canceller) {
    return clock.callLater(timeout, [canceller = std::move(canceller)] { canceller.cancel(); });
}

Failure timeoutFailure(Duration timeout) {
    const double seconds = std::chrono::duration<double>(timeout).count();
    return Failure::of<TimeoutError>(fmt::format("There was no result within {} s.", seconds));
}

} // namespace torsion::detail
