#pragma once

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <semaphore>
#include <thread>
#include <utility>

namespace torsion::test {

/// The loop of a host that knows functions and timers, and no descriptors.
class PostedLoop {
public:
    using Clock = std::chrono::steady_clock;

    /// Any thread.
    void post(std::function<void()> f) {
        const std::lock_guard lock(mutex_);
        posted_.push_back(std::move(f));
        come_.notify_one();
    }

    /// Its own thread.
    void after(std::chrono::milliseconds delay, std::function<void()> f) {
        timers_.emplace(Clock::now() + delay, std::move(f));
    }

    /// Waits until there is something to call, for no longer than until `end`, and calls it.
    void turn(Clock::time_point end) {
        if (!timers_.empty() && timers_.begin()->first <= Clock::now()) {
            const auto f = std::move(timers_.extract(timers_.begin()).mapped());
            f();
            end = Clock::now();
        }
        if (const auto f = next(end))
            f();
    }

    /// What waits to be called is dropped. @returns how much that was.
    std::size_t drop() {
        std::deque<std::function<void()>> dropped;
        const std::lock_guard lock(mutex_);
        dropped.swap(posted_);
        return dropped.size();
    }

    /// How many functions wait.
    std::size_t waiting() {
        const std::lock_guard lock(mutex_);
        return posted_.size();
    }

private:
    std::function<void()> next(Clock::time_point end) {
        std::unique_lock lock(mutex_);
        const auto until = timers_.empty() ? end : std::min(end, timers_.begin()->first);
        if (!come_.wait_until(lock, until, [this] { return !posted_.empty(); }))
            return nullptr;
        std::function<void()> f = std::move(posted_.front());
        posted_.pop_front();
        return f;
    }

    std::mutex mutex_;
    std::condition_variable come_;
    std::deque<std::function<void()>> posted_;
    std::multimap<Clock::time_point, std::function<void()>> timers_;
};

/// Has such a loop call a function whenever a descriptor is readable, with a thread, as hosts of that kind do.
class PostedWatch {
public:
    PostedWatch(PostedLoop& loop, int descriptor, std::function<void()> f)
        : thread_([this, &loop, descriptor, f = std::move(f)] { run(loop, descriptor, f); }) {}
    PostedWatch(const PostedWatch&) = delete;
    PostedWatch& operator=(const PostedWatch&) = delete;
    ~PostedWatch() {
        *ended_ = true;
        const std::uint64_t one = 1;
        [[maybe_unused]] const auto written = ::write(end_, &one, sizeof one);
        called_->release();
        thread_.join();
        ::close(end_);
    }

private:
    void run(PostedLoop& loop, int descriptor, const std::function<void()>& f) {
        for (;;) {
            pollfd watched[] = {{end_, POLLIN, 0}, {descriptor, POLLIN, 0}};
            ::poll(watched, 2, -1);
            if (watched[0].revents != 0)
                return;
            loop.post([called = called_, ended = ended_, f] {
                if (!*ended) // both on the loop's thread
                    f();
                called->release();
            });
            called_->acquire();
        }
    }

    const int end_ = ::eventfd(0, EFD_CLOEXEC);
    const std::shared_ptr<bool> ended_ = std::make_shared<bool>(false);
    const std::shared_ptr<std::counting_semaphore<>> called_ = std::make_shared<std::counting_semaphore<>>(0);
    std::thread thread_;
};

} // namespace torsion::test
