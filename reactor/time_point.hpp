#pragma once

#include <chrono>
#include <compare>
#include <concepts>
#include <cstdint>
#include <limits>
#include <ratio>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace torsion {

/// Spans of time, in nanoseconds: up to 292 years either way.
using Duration = std::chrono::nanoseconds;

/// A moment on a Clock: nanoseconds since a start that means nothing by itself. It never goes back and knows no
/// calendar (S-140); Clock::wall() gives the date. Sums saturate, so that a moment in the far future stays there.
class TimePoint {
public:
    /// The clock's start.
    constexpr TimePoint() noexcept = default;

    /// @param nanoseconds since the clock's start.
    static constexpr TimePoint fromNanoseconds(std::int64_t nanoseconds) noexcept {
        TimePoint result;
        result.nanoseconds_ = nanoseconds;
        return result;
    }

    /// Later than, or as late as, every other moment: never.
    static constexpr TimePoint max() noexcept { return fromNanoseconds(std::numeric_limits<std::int64_t>::max()); }
    static constexpr TimePoint min() noexcept { return fromNanoseconds(std::numeric_limits<std::int64_t>::min()); }

    /// Nanoseconds since the clock's start.
    constexpr std::int64_t nanoseconds() const noexcept { return nanoseconds_; }

    friend constexpr TimePoint operator+(TimePoint time, Duration span) noexcept {
        std::int64_t sum = 0;
        if (__builtin_add_overflow(time.nanoseconds_, span.count(), &sum))
            return span.count() > 0 ? max() : min();
        return fromNanoseconds(sum);
    }
    friend constexpr TimePoint operator+(Duration span, TimePoint time) noexcept { return time + span; }

    friend constexpr TimePoint operator-(TimePoint time, Duration span) noexcept {
        std::int64_t difference = 0;
        if (__builtin_sub_overflow(time.nanoseconds_, span.count(), &difference))
            return span.count() > 0 ? min() : max();
        return fromNanoseconds(difference);
    }

    friend constexpr Duration operator-(TimePoint later, TimePoint earlier) noexcept {
        std::int64_t difference = 0;
        if (__builtin_sub_overflow(later.nanoseconds_, earlier.nanoseconds_, &difference))
            return later.nanoseconds_ > earlier.nanoseconds_ ? Duration::max() : Duration::min();
        return Duration(difference);
    }

    constexpr TimePoint& operator+=(Duration span) noexcept { return *this = *this + span; }
    constexpr TimePoint& operator-=(Duration span) noexcept { return *this = *this - span; }

    friend constexpr auto operator<=>(TimePoint, TimePoint) noexcept = default;

private:
    std::int64_t nanoseconds_ = 0;
};

/// Any chrono duration as a Duration. What is too long becomes Duration::max() or min(); fractions of a nanosecond are
/// rounded up where the count is an integer, to the nearest where it is floating.
/// Throws std::invalid_argument for NaN.
template <class Rep, class Period>
    requires std::is_arithmetic_v<Rep>
constexpr Duration toDuration(std::chrono::duration<Rep, Period> span) {
    using Factor = std::ratio_divide<Period, std::nano>;
    constexpr std::int64_t kMax = Duration::max().count();
    if constexpr (std::integral<Rep> && Factor::den == 1) {
        if (std::cmp_greater(span.count(), kMax / Factor::num))
            return Duration::max();
        if (std::cmp_less(span.count(), -(kMax / Factor::num)))
            return Duration::min();
        return Duration(static_cast<std::int64_t>(span.count()) * Factor::num);
    } else if constexpr (std::integral<Rep> && Factor::num == 1) {
        return std::chrono::ceil<Duration>(span);
    } else {
        const long double nanoseconds = static_cast<long double>(span.count()) * Factor::num / Factor::den;
        if (nanoseconds != nanoseconds)
            throw std::invalid_argument("a duration is not a number");
        if (nanoseconds >= static_cast<long double>(kMax))
            return Duration::max();
        if (nanoseconds <= -static_cast<long double>(kMax))
            return Duration::min();
        return Duration(static_cast<std::int64_t>(nanoseconds + (nanoseconds < 0 ? -0.5L : 0.5L)));
    }
}

} // namespace torsion
