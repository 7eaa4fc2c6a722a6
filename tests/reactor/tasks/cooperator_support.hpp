#pragma once

#include <reactor/cooperator.hpp>
#include <reactor/testing/clock.hpp>

#include "support/deferred_result.hpp"

#include <string>
#include <utility>

namespace torsion::test {

using TestClock = testing::Clock;

/// Work of so many pieces that writes its name for each.
inline auto pieces(std::string name, int count, Trace& trace) {
    return [name = std::move(name), count, &trace]() mutable {
        if (count-- == 0)
            return Step::done();
        trace.push_back(name);
        return Step::more();
    };
}

/// Work that never ends.
inline auto counting(int& count) {
    return [&count] {
        ++count;
        return Step::more();
    };
}

inline constexpr CooperatorOptions kOneStep{.maxSteps = 1};

} // namespace torsion::test
