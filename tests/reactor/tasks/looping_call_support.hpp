#pragma once

#include <reactor/looping_call.hpp>
#include <reactor/testing/clock.hpp>

#include "support/deferred_result.hpp"

#include <cstdint>
#include <utility>
#include <vector>

namespace torsion::test {

using TestClock = testing::Clock;
using Times = std::vector<Duration>;
using Counts = std::vector<std::pair<Duration, std::int64_t>>;

/// A loop that writes down when it is called.
struct Recorder {
    explicit Recorder(Clock& itsClock) : clock(itsClock) {}

    Duration time() const { return clock.now() - TimePoint(); }

    Clock& clock;
    Times times{};
    Trace result{};
    LoopingCall loop{clock, [this] { times.push_back(time()); }};
};

} // namespace torsion::test
