#pragma once

#include <reactor/core/inbox.hpp>
#include <reactor/time_point.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace torsion::uv {

/// Whether the host of an embedded reactor comes round to dispatch. Nothing of ours runs when it does not, so whoever
/// uses the reactor meanwhile looks: on its thread, or posting a call on another. Reports once until it has come.
class Patience final : public RemoteInbox::Watch {
public:
    /// @param limit zero: none. @param descriptor what the host watches.
    Patience(std::chrono::milliseconds limit, int descriptor) noexcept : limit_(limit), descriptor_(descriptor) {}

    bool isLimited() const noexcept { return limit_ != Duration::zero(); }

    /// @name On the reactor's thread
    /// @{
    void hostShallCome(TimePoint at) noexcept {
        if (isLimited())
            due_ = std::min(due_, at);
    }
    /// Or need not come any more.
    void hostCame() noexcept {
        due_ = TimePoint::max();
        told_ = false;
    }
    bool isWaiting() const noexcept { return due_ != TimePoint::max(); }
    /// How late it is; none when that is borne, or was reported.
    std::optional<Duration> overdue(TimePoint now) noexcept;
    /// @param what that waits, each with ", " before it
    void report(Duration late, std::string_view what);
    /// @}

    /// On any thread.
    std::uint64_t timesLate() const noexcept { return timesLate_.load(std::memory_order_relaxed); }

private:
    // RemoteInbox::Watch: of calls that other threads post
    bool isLate(std::size_t waiting) noexcept override;
    void onLate(std::size_t waiting) noexcept override;

    const Duration limit_;
    const int descriptor_;
    TimePoint due_ = TimePoint::max();
    TimePoint posted_{}; // with the inbox's lock: since when a call waits in it
    bool told_ = false;
    bool postedTold_ = false; // with the inbox's lock
    std::atomic<std::uint64_t> timesLate_{0};
};

} // namespace torsion::uv
