#include <reactor/idle_timeout.hpp>

#include <algorithm>
#include <stdexcept>

namespace torsion {

IdleTimeout::~IdleTimeout() {
    if (destroyed_ != nullptr)
        *destroyed_ = true;
}

std::optional<Duration> IdleTimeout::set(std::optional<Duration> period) {
    if (period.has_value() && *period < Duration::zero())
        throw std::invalid_argument("IdleTimeout::set: the period is negative");
    const std::optional<Duration> previous = std::exchange(period_, period);
    if (!period.has_value()) {
        call_.cancel();
        return previous;
    }
    touch();
    // A call that comes early enough looks again by itself.
    if (!call_.active() || call_.call().getTime() > lastTouch_ + *period)
        arm(*period);
    return previous;
}

void IdleTimeout::arm(Duration delay) {
    call_ = clock_.callLater(delay, [this] { expire(); });
}

void IdleTimeout::expire() {
    const Duration remaining = lastTouch_ + *period_ - clock_.now();
    // Inside the callback (of an outer turn) it waits for that to return.
    if (remaining > Duration::zero() || destroyed_ != nullptr)
        arm(std::max(remaining, Duration::zero()));
    else
        notify();
}

/// The callback may destroy this object, and with it what the callback lies in: it is called from the stack.
void IdleTimeout::notify() {
    struct Running {
        explicit Running(IdleTimeout& owner) : timeout(owner), callback(std::move(owner.onTimeout_)) {
            timeout.destroyed_ = &destroyed;
        }
        ~Running() {
            if (destroyed)
                return;
            timeout.destroyed_ = nullptr;
            timeout.onTimeout_ = std::move(callback);
        }
        IdleTimeout& timeout;
        Function<void()> callback;
        bool destroyed = false;
    };
    Running running(*this);
    running.callback();
}

} // namespace torsion
