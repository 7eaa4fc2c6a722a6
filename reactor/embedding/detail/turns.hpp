#pragma once

#include <chrono>
#include <optional>

namespace torsion::detail {

/// When a reactor leaves a turn of the host's loop to others, in a host that calls nothing of a lower priority while
/// something of a higher one is ready: after 5 ms (a part of a frame's time) in which it was dispatched at each turn
/// and the loop did not wait. That is a turn more for each 5 ms, of a busy one's thousands; one that waits never does.
class Turns {
public:
    /// Since whenever the host's clock begins.
    using Time = std::chrono::microseconds;

    /// The host is about to wait. @return whether this turn is for others.
    bool prepare(Time now) noexcept {
        if (yields_)
            busySince_.reset();
        yields_ = busySince_ && now - *busySince_ >= kTurn;
        preparedAt_ = now;
        return yields_;
    }

    /// The host comes from its wait: if that took a while, nobody was ready as it began.
    void waited(Time now) noexcept {
        if (now - preparedAt_ < kPause)
            return;
        busySince_.reset();
        yields_ = false;
    }

    /// The host dispatches.
    void begin(Time now) noexcept {
        if (!busySince_)
            busySince_ = now;
    }

    bool yields() const noexcept { return yields_; }

private:
    static constexpr Time kTurn{5000};
    static constexpr Time kPause{500}; // longer than a busy machine takes to poll

    std::optional<Time> busySince_;
    Time preparedAt_{0};
    bool yields_ = false;
};

} // namespace torsion::detail
