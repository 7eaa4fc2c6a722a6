#pragma once

#include <reactor/libuv/descriptor.hpp>
#include <reactor/libuv/descriptor_watch.hpp>
#include <reactor/time_point.hpp>

#include <optional>

namespace torsion::uv {

/// Makes an embedded loop's descriptor readable at a time, from inside the loop: a timerfd in it.
class Alarm final : private Ready {
public:
    /// @throws std::system_error
    explicit Alarm(LoopContext& context);

    /// None: never. Costs a system call unless it is set so.
    void set(std::optional<TimePoint> time) noexcept;

    /// As above, unless it is set for that time or an earlier one.
    void setAtLatest(TimePoint time) noexcept;

private:
    void onReady(int, int) override { fired_ = true; }

    Descriptor timer_; // closed after the watch, which is destroyed first
    DescriptorWatch watch_;
    std::optional<TimePoint> time_;
    bool fired_ = false;
};

} // namespace torsion::uv
