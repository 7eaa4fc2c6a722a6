#pragma once

#include <reactor/embedding/adapter.hpp>
#include <reactor/embedding/detail/poll_limit.hpp>

#include <poll.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <optional>
#include <span>
#include <system_error>
#include <utility>
#include <vector>

namespace torsion {

/// A reactor inside of a loop around poll(2); `EpollAdapter` (epoll.hpp) is for one around epoll_wait(2).
///
/// @code
/// torsion::PollHost host(reactor.embed());
/// reactor.start();
/// while (host.last() != torsion::Dispatched::Stopped) {
///     pollfd mine[] = {{socket, POLLIN, 0}};
///     if (host.turn(mine) > 0)
///         readFrom(socket);
/// }
/// @endcode
///
/// Asks how long it may wait each time, so it needs no telling. May be used inside of callbacks (a nested loop), and be
/// destroyed there. Goes on in a child process after fork(), which calls `afterFork()`.
class PollHost final : public Adapter {
public:
    using Adapter::Wait;

    /// @throws std::logic_error when the reactor has a host already, or is gone
    explicit PollHost(Embedding embedding) : Adapter(std::move(embedding)) { attachUntold(); }
    ~PollHost() override { detach(); }

    /// Waits until one of `watched` or the reactor is ready, and dispatches.
    /// @param watched the host's own; `revents` are set (to 0 after a signal).
    /// @param wait how long at most, for the host's own purposes; none: for ever.
    /// @return how many of `watched` are ready. @throws std::system_error when poll fails; a signal is no failure.
    int turn(std::span<pollfd> watched = {}, Wait wait = std::nullopt);

    /// Turns until a stop of the reactor's has ended, which is started.
    void run() {
        const auto self = this->self();
        do {
            turn();
        } while (*self && last_ != Dispatched::Stopped);
    }

    /// What the last turn's dispatch came to.
    Dispatched last() const noexcept { return last_; }

private:
    void watch(int) override { watching_ = true; }
    void unwatch() noexcept override { watching_ = false; }
    void wake(Wait) noexcept override {} // asked each time

    int poll(std::span<pollfd> watched, int limit);

    std::vector<pollfd> all_; // the reactor's descriptor first
    Dispatched last_ = Dispatched::Idle;
    bool watching_ = false;
};

/// How long a host may wait that takes milliseconds as poll(2) and epoll_wait(2) do; -1: for ever.
/// @param wait what the host wants itself.
inline int pollTimeout(Embedding& embedding, PollHost::Wait wait = std::nullopt) {
    return detail::pollLimit(embedding.timeout(), wait);
}

inline int PollHost::turn(std::span<pollfd> watched, Wait wait) {
    const auto self = this->self();
    const int limit = detail::pollLimit(this->wait(), wait);
    if (!*self) { // what was sent as a dialog began has brought about this object's end
        for (pollfd& each : watched)
            each.revents = 0;
        return 0;
    }
    const int ready = poll(watched, limit);
    const Dispatched result = dispatch();
    if (*self)
        last_ = result;
    return ready;
}

inline int PollHost::poll(std::span<pollfd> watched, int limit) {
    all_.assign(1, pollfd{watching_ ? embedding().fd() : -1, POLLIN, 0});
    all_.insert(all_.end(), watched.begin(), watched.end());
    const int ready = ::poll(all_.data(), all_.size(), limit);
    if (ready < 0) {
        if (errno != EINTR)
            throw std::system_error(errno, std::generic_category(), "poll");
        for (pollfd& each : watched)
            each.revents = 0; // poll has left what was there
        return 0;
    }
    for (std::size_t i = 0; i < watched.size(); ++i)
        watched[i].revents = all_[i + 1].revents;
    return ready - (all_.front().revents != 0 ? 1 : 0);
}

} // namespace torsion
