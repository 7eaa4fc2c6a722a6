#pragma once

#include <chrono>
#include <optional>

namespace torsion::detail {

/// What a host's timer is set for. The reactor's waits are rounded up to a millisecond, so one deadline, asked for
/// after each of a thousand messages, is a little different each time: the timer stays as it is then.
class Deadline {
public:
    using Clock = std::chrono::steady_clock;

    /// @return whether the timer has to be set, to `time()`; none: taken out.
    bool change(std::optional<std::chrono::milliseconds> wait) noexcept {
        if (!wait) {
            const bool wasSet = time_.has_value();
            time_.reset();
            return wasSet;
        }
        const Clock::time_point due = Clock::now() + *wait;
        if (time_ && *time_ <= due && due - *time_ < std::chrono::milliseconds(1))
            return false;
        time_ = due;
        return true;
    }

    /// The timer has fired, and is set no more.
    void fired() noexcept { time_.reset(); }

    std::optional<Clock::time_point> time() const noexcept { return time_; }

private:
    std::optional<Clock::time_point> time_;
};

} // namespace torsion::detail
