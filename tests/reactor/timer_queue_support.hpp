#pragma once

#include <reactor/core/timer_queue.hpp>

/// What the tests of TimerQueue share.
namespace torsion::test {

class QueueHost final : public TimerQueue::Host {
public:
    TimePoint readTime() override { return time; }
    void nextDueChanged() noexcept override { ++changes; }

    TimePoint time;
    int changes = 0;
};

} // namespace torsion::test
