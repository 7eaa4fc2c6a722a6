#pragma once

#include <poll.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <utility>
#include <vector>

namespace torsion::test {

/// The timers and descriptors of a host that has no library for them. Its functions may call anything here.
class OwnEvents {
public:
    using Clock = std::chrono::steady_clock;
    using Milliseconds = std::chrono::milliseconds;

    void after(Milliseconds delay, std::function<void()> f) { timers_.emplace(Clock::now() + delay, std::move(f)); }
    void watch(int descriptor, std::function<void()> f) { watches_[descriptor] = std::move(f); }

    /// What to poll.
    std::vector<pollfd> watched() const {
        std::vector<pollfd> all;
        for (const auto& [descriptor, f] : watches_)
            all.push_back({descriptor, POLLIN, 0});
        return all;
    }

    /// How long to wait, until the next timer or `end`; rounded up.
    Milliseconds wait(Clock::time_point end) const {
        const auto next = timers_.empty() ? end : std::min(end, timers_.begin()->first);
        return std::max(Milliseconds(0), std::chrono::ceil<Milliseconds>(next - Clock::now()));
    }

    /// Calls those whose time has come, and those whose descriptors are ready.
    void callDue(const std::vector<pollfd>& watched) {
        const auto now = Clock::now();
        while (!timers_.empty() && timers_.begin()->first <= now) {
            const std::function<void()> f = std::move(timers_.begin()->second);
            timers_.erase(timers_.begin());
            f();
        }
        for (const pollfd& one : watched)
            call(one);
    }

    void call(const pollfd& one) {
        if (one.revents == 0)
            return;
        const std::function<void()> f = watches_.at(one.fd);
        f();
    }

private:
    std::multimap<Clock::time_point, std::function<void()>> timers_;
    std::map<int, std::function<void()>> watches_;
};

} // namespace torsion::test
