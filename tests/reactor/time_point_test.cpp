#include <doctest/doctest.h>

#include <reactor/time_point.hpp>

#include "support/moment.hpp"

#include <chrono>
#include <cstdint>
#include <limits>
#include <ratio>
#include <stdexcept>

using namespace std::chrono_literals;
using torsion::Duration;
using torsion::TimePoint;
using torsion::toDuration;
using torsion::test::at;

TEST_CASE("a moment in the far future stays there whatever is added") {
    CHECK(TimePoint::max() + 1ns == TimePoint::max());
    CHECK(at(1s) + Duration::max() == TimePoint::max());
    CHECK(TimePoint::min() - 1ns == TimePoint::min());
    CHECK(at(-1s) + Duration::min() == TimePoint::min());
    CHECK(at(-2s) - Duration::max() == TimePoint::min());
    CHECK(at(2s) - Duration::min() == TimePoint::max());
    CHECK(TimePoint::max() - TimePoint::min() == Duration::max());
    CHECK(TimePoint::min() - TimePoint::max() == Duration::min());
    CHECK(at(3s) - at(1s) == 2s);
    CHECK(at(1s) < at(2s));
}

TEST_CASE("any chrono duration becomes nanoseconds, the longest that there is when it is too long") {
    CHECK(toDuration(std::chrono::hours(1)) == 3600s);
    CHECK(toDuration(std::chrono::hours::max()) == Duration::max());
    CHECK(toDuration(std::chrono::hours::min()) == Duration::min());
    CHECK(toDuration(std::chrono::years(1000)) == Duration::max());
    CHECK(toDuration(std::chrono::duration<std::uint64_t>(std::numeric_limits<std::uint64_t>::max())) ==
          Duration::max());
    CHECK(toDuration(std::chrono::duration<double>(0.25)) == 250ms);
    CHECK(toDuration(std::chrono::duration<double>(-0.25)) == -250ms);
    CHECK(toDuration(std::chrono::duration<double>(1e300)) == Duration::max());
    CHECK(toDuration(std::chrono::duration<double>(-1e300)) == Duration::min());
    CHECK(toDuration(std::chrono::duration<double>(std::numeric_limits<double>::infinity())) == Duration::max());
    CHECK(toDuration(std::chrono::duration<int, std::pico>(1001)) == 2ns);
    CHECK(toDuration(std::chrono::duration<std::int64_t, std::ratio<1, 3>>(3)) == 1s);
    CHECK_THROWS_AS(toDuration(std::chrono::duration<double>(std::numeric_limits<double>::quiet_NaN())),
                    std::invalid_argument);
}
