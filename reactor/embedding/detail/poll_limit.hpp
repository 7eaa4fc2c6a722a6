#pragma once

#include <algorithm>
#include <chrono>
#include <limits>
#include <optional>

namespace torsion::detail {

/// What poll(2) and epoll_wait(2) take for the shorter of two waits, in milliseconds; -1: for ever, when both are none.
inline int pollLimit(std::optional<std::chrono::milliseconds> wait,
                     std::optional<std::chrono::milliseconds> other = std::nullopt) noexcept {
    using std::chrono::milliseconds;
    if (other && (!wait || *other < *wait))
        wait = other;
    constexpr milliseconds kLongest{std::numeric_limits<int>::max()};
    return wait ? static_cast<int>(std::clamp(*wait, milliseconds(0), kLongest).count()) : -1;
}

} // namespace torsion::detail
