#pragma once

#include <reactor/function.hpp>
#include <reactor/libuv/alarm.hpp>
#include <reactor/libuv/patience.hpp>
#include <reactor/time_point.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>

namespace torsion {

class UvReactor;

namespace uv {

/// A reactor's own loop that a host's loop drives; what stands behind `Embedding`, which says what its functions do.
///
/// A dispatch is a turn in two phases: libuv's poll, which does not wait and in which our callbacks only collect what
/// is ready, and then, outside of libuv, the user's callbacks. So a host's loop may run inside any of these and
/// dispatch again: that one takes over what the outer one has not come to, reads into a buffer of its own, and leaves
/// the connections alone whose callbacks are on the stack.
///
/// Shared by the reactor and the Embeddings; lives longer than the reactor, and does nothing then.
class EmbeddedLoop final : public std::enable_shared_from_this<EmbeddedLoop> {
public:
    struct Options {
        bool singleDescriptor = false;
        std::chrono::microseconds budget{0};
        std::chrono::milliseconds patience{0};
    };
    enum class Outcome { Idle, More, Busy, Stopped };

    /// Embeds the reactor. @throws as UvReactor::embed
    static std::shared_ptr<EmbeddedLoop> embed(UvReactor& reactor, const Options& options);

    EmbeddedLoop(UvReactor& reactor, const Options& options);
    EmbeddedLoop(const EmbeddedLoop&) = delete;
    EmbeddedLoop& operator=(const EmbeddedLoop&) = delete;

    int descriptor() const noexcept;
    std::optional<std::chrono::milliseconds> timeout() noexcept;
    Outcome dispatch();
    void onChange(Function<void()> f);
    void onGone(Function<void()> f);
    void touch();
    void afterFork();
    unsigned generation() const noexcept { return generation_; }
    std::uint64_t timesLate() const noexcept { return patience_->timesLate(); }
    std::uint64_t dispatches() const noexcept { return dispatches_; }
    bool isSingleDescriptor() const noexcept { return options_.singleDescriptor; }

    /// The reactor; null when it is gone.
    UvReactor* reactor() const noexcept { return reactor_; }

    /// @name For the reactor
    /// @{
    void touched() noexcept;
    void reactorEnds() noexcept;
    void reactorGone() noexcept;
    bool isInside() const noexcept { return depth_ != 0 || polling_ || telling_; }
    /// Whether code that was called back, or that runs as if it were, is on the stack of the dispatch that asks.
    bool isNested() const noexcept { return depth_ > 1 || isHeld(); }
    /// After user code has been called in a dispatch. False: it has called for as long as it shall.
    bool goesOnAfterCall() noexcept;
    /// @}

private:
    /// What the host knows of what has changed.
    enum class Host {
        Unaware,   ///< nothing: it is to be told
        Told,      ///< that something has; it will ask or dispatch
        Dispatches ///< the innermost dispatch sees whatever changes
    };

    class NestedBuffer;

    void runTurn();
    void runPhases();
    void poll();
    void deliver();
    bool isHeld() const noexcept;
    void finishStop() noexcept;
    void tellStopped() noexcept;
    void expectHost(std::optional<TimePoint> wake, TimePoint now) noexcept;
    void lookForHost(TimePoint now) noexcept;
    bool hasWork() const noexcept;
    std::optional<TimePoint> nextWake() noexcept;
    void tell(std::shared_ptr<Function<void()>> f) noexcept;

    UvReactor* reactor_;
    Options options_;
    std::optional<Alarm> alarm_;                 // in single-descriptor mode
    std::shared_ptr<Function<void()>> onChange_; // shared with the call in progress, which may replace it
    std::shared_ptr<Function<void()>> onGone_;
    std::unique_ptr<char[]> spareBuffer_;
    std::shared_ptr<Patience> patience_;     // shared with the threads' inbox
    TimePoint budgetEnd_ = TimePoint::max(); // of the innermost dispatch
    std::uint64_t dispatches_ = 0;
    unsigned generation_ = 0;
    int depth_ = 0;       // dispatches on the stack
    int stopsToTell_ = 0; // to onStopped
    Host host_ = Host::Unaware;
    bool polling_ = false;  // uv_run is on the stack
    bool telling_ = false;  // one of the host's functions is on the stack
    bool stopHeld_ = false; // a stop waits for the outermost dispatch
    bool stopped_ = false;  // since the last start
    bool ending_ = false;   // the reactor is being destroyed
    bool tellingStopped_ = false;
};

} // namespace uv
} // namespace torsion
