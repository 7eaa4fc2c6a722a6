#pragma once

#include <reactor/time_point.hpp>

namespace torsion::test {

/// A moment, counted from the start of a test's clock.
inline TimePoint at(Duration sinceStart) {
    return TimePoint() + sinceStart;
}

} // namespace torsion::test
