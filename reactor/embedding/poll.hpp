#pragma once

#include <reactor/embedding/embedding.hpp>

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <system_error>
#include <utility>
#include <vector>

namespace torsion {

/// A reactor inside of a loop around poll(2). With epoll(7) it is the same: add `embedding.fd()` with EPOLLIN (never
/// EPOLLET), wait for `pollTimeout(embedding)`, dispatch.
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
/// destroyed there.
class PollHost {
public:
    using Wait = std::optional<std::chrono::milliseconds>;

    explicit PollHost(Embedding embedding) : embedding_(std::move(embedding)) {}

    /// Waits until one of `watched` or the reactor is ready, and dispatches.
    /// @param watched the host's own; `revents` are set (to 0 after a signal).
    /// @param wait how long at most, for the host's own purposes; none: for ever.
    /// @return how many of `watched` are ready. @throws std::system_error when poll fails; a signal is no failure.
    int turn(std::span<pollfd> watched = {}, Wait wait = std::nullopt);

    /// Turns until a stop of the reactor's has ended, which is started.
    void run() {
        const std::shared_ptr<Dispatched> last = last_;
        do {
            turn();
        } while (last.use_count() > 1 && *last != Dispatched::Stopped);
    }

    /// What the last turn's dispatch came to.
    Dispatched last() const noexcept { return *last_; }

    Embedding& embedding() noexcept { return embedding_; }

private:
    Embedding embedding_;
    std::vector<pollfd> all_; // the reactor's descriptor first
    std::shared_ptr<Dispatched> last_ = std::make_shared<Dispatched>(Dispatched::Idle); // a turn has it, too
};

/// How long a host may wait that takes milliseconds as poll(2) and epoll_wait(2) do; -1: for ever.
/// @param wait what the host wants itself.
inline int pollTimeout(Embedding& embedding, PollHost::Wait wait = std::nullopt) {
    if (const PollHost::Wait own = embedding.timeout(); own && (!wait || *own < *wait))
        wait = own;
    constexpr std::chrono::milliseconds kLongest{0x7fffffff};
    return wait ? static_cast<int>(std::clamp(*wait, std::chrono::milliseconds(0), kLongest).count()) : -1;
}

inline int PollHost::turn(std::span<pollfd> watched, Wait wait) {
    constexpr std::chrono::milliseconds kBusyWait{10};
    const std::shared_ptr<Dispatched> last = last_;
    const bool busy = *last == Dispatched::Busy; // what is ready stays so for now: do not look, and try again
    const int limit =
        busy ? static_cast<int>(std::clamp(wait.value_or(kBusyWait), Wait::value_type(0), kBusyWait).count())
             : pollTimeout(embedding_, wait);
    if (last.use_count() == 1) { // what was sent as a dialog began has brought about this object's end
        for (pollfd& each : watched)
            each.revents = 0;
        return 0;
    }
    all_.assign(1, pollfd{busy ? -1 : embedding_.fd(), POLLIN, 0});
    all_.insert(all_.end(), watched.begin(), watched.end());
    int ready = ::poll(all_.data(), all_.size(), limit);
    if (ready < 0) {
        if (errno != EINTR)
            throw std::system_error(errno, std::generic_category(), "poll");
        ready = 0;
        for (pollfd& each : watched)
            each.revents = 0; // poll has left what was there
    } else {
        ready -= all_.front().revents != 0 ? 1 : 0;
        for (std::size_t i = 0; i < watched.size(); ++i)
            watched[i].revents = all_[i + 1].revents;
    }
    Embedding embedding = embedding_;
    *last = embedding.dispatch();
    return ready;
}

} // namespace torsion
