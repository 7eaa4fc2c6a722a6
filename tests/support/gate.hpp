#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace torsion::test {

/// Threads wait at it until it is open. Nothing is timed: the 30 s are for a test that would hang else.
class Gate {
public:
    void open() {
        const std::lock_guard lock(mutex_);
        open_ = true;
        changed_.notify_all();
    }

    /// @returns false when it stayed shut.
    bool pass() {
        std::unique_lock lock(mutex_);
        ++waiting_;
        changed_.notify_all();
        return changed_.wait_for(lock, kPatience, [this] { return open_; });
    }

    /// Until so many have come to it. @returns false when they did not.
    bool awaitArrivals(int count) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, kPatience, [&] { return waiting_ >= count; });
    }

private:
    static constexpr std::chrono::seconds kPatience{30};

    std::mutex mutex_;
    std::condition_variable changed_;
    int waiting_ = 0;
    bool open_ = false;
};

/// Waits, for at most 30 s, for what no callback tells.
template <class Condition>
bool becomes(Condition condition) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!condition()) {
        if (std::chrono::steady_clock::now() > end)
            return false;
        std::this_thread::yield();
    }
    return true;
}

} // namespace torsion::test
