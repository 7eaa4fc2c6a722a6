#pragma once

#include <reactor/testing/clock.hpp>
#include <reactor/time_point.hpp>

#include "support/moment.hpp"

#include <string>
#include <utility>
#include <vector>

/// What the tests of Clock and of its calls share.
namespace torsion::test {

/// Writes down who was called, and when.
struct Journal {
    explicit Journal(testing::Clock& theClock) : clock(theClock) {}

    auto entry(std::string name) {
        return [this, name = std::move(name)] {
            names += name;
            times.push_back(clock.now());
        };
    }

    testing::Clock& clock;
    std::string names;
    std::vector<TimePoint> times;
};

} // namespace torsion::test
