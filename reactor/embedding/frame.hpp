#pragma once

#include <reactor/embedding/adapter.hpp>

#include <poll.h>
#include <time.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <utility>

namespace torsion {

/// A reactor inside of a loop that goes round once a frame, as a game's does.
///
/// @code
/// torsion::FrameAdapter inside(reactor.embed({.budget = 500us}));
/// reactor.start();
/// auto next = std::chrono::steady_clock::now();
/// while (playing) {
///     readInput();
///     advance();
///     draw();
///     next += 16'667us;
///     inside.until(next); // instead of sleeping
/// }
/// @endcode
///
/// With `until()` a message is answered when it comes; with `frame()`, in a loop that waits for the screen's refresh,
/// in the next frame. The loop may run inside of callbacks, too, and this object be destroyed there. Goes on in a child
/// process after fork(), which calls `afterFork()`.
class FrameAdapter final : public Adapter {
public:
    using Clock = std::chrono::steady_clock;

    /// @throws std::logic_error when the reactor has a host already, or is gone
    explicit FrameAdapter(Embedding embedding) : Adapter(std::move(embedding)) { attach(); }
    ~FrameAdapter() override { detach(); }

    /// Does what is to be done, without waiting, again and again until nothing is left or `budget` is used up: one
    /// dispatch at least, if there is anything. A dispatch is one turn unless it has a budget of its own, which should
    /// be a part of this one; `microseconds::max()` is none.
    /// @returns whether something is left.
    bool frame(std::chrono::microseconds budget);

    /// Serves the reactor until then, and waits in between: returns after `deadline`, by no more than a dispatch takes.
    /// One that has passed already: what is ready is dispatched once.
    /// @param isOver asked after each dispatch: whether to return at once, for callbacks that want the next frame now.
    void until(Clock::time_point deadline, const std::function<bool()>& isOver = nullptr);

private:
    void watch(int descriptor) override { descriptor_ = descriptor; }
    void unwatch() noexcept override { descriptor_ = -1; }
    void wake(Wait) noexcept override {} // asked each time
    void changed() noexcept override {}

    static bool poll(int descriptor, Clock::duration limit) noexcept;
    bool comes(Clock::duration limit) noexcept;

    int descriptor_ = -1;
};

inline bool FrameAdapter::frame(std::chrono::microseconds budget) {
    const auto self = this->self();
    constexpr std::chrono::microseconds kLongest = std::chrono::years(100); // that the clock can count
    const Clock::time_point end = Clock::now() + std::clamp(budget, std::chrono::microseconds(0), kLongest);
    while (*self && comes({})) {
        dispatch();
        if (Clock::now() >= end)
            return *self && comes({});
    }
    return false;
}

inline void FrameAdapter::until(Clock::time_point deadline, const std::function<bool()>& isOver) {
    const auto self = this->self();
    bool once = true; // when the frame has taken too long, too
    for (Clock::time_point now = Clock::now(); std::exchange(once, false) || now < deadline; now = Clock::now()) {
        const Clock::duration left = deadline > now ? deadline - now : Clock::duration::zero();
        if (!*self) {
            poll(-1, left);
        } else if (comes(left)) {
            dispatch();
            if (isOver && isOver())
                return;
        }
    }
}

// Waits until there is something to do. False when there is not, and when this object has gone over it.
inline bool FrameAdapter::comes(Clock::duration limit) noexcept {
    const auto self = this->self();
    const auto isDue = [&](Wait wait) { return *self && wait == std::chrono::milliseconds(0); };
    const Wait wait = this->wait();
    if (!*self || isDue(wait))
        return *self != nullptr;
    return poll(descriptor_, wait ? std::min<Clock::duration>(limit, *wait) : limit) || isDue(this->wait());
}

// A frame's end is nearer than poll's milliseconds.
inline bool FrameAdapter::poll(int descriptor, Clock::duration limit) noexcept {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(limit);
    const timespec time{seconds.count(), std::chrono::nanoseconds(limit - seconds).count()};
    pollfd watched{descriptor, POLLIN, 0};
    return ::ppoll(&watched, 1, &time, nullptr) == 1;
}

} // namespace torsion
