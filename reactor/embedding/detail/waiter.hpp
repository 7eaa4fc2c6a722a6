#pragma once

#include <reactor/embedding/detail/poll_limit.hpp>
#include <reactor/log.hpp>

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

namespace torsion::detail {

/// What a thread that waits in the place of a host, and the host's thread, have in common.
///
///     Waits --- readable, or time ---> Posted --- the host calls ---> Serves
///       ^ ^                              |                               |
///       | +--- dropped, after a while ---+                               |
///       +------------------------ waitFor(): a release ------------------+
class Waiter : public std::enable_shared_from_this<Waiter> {
public:
    using Clock = std::chrono::steady_clock;
    using Task = std::function<void()>;
    using Post = std::function<void(Task)>;

    explicit Waiter(Task serve) : serve_(std::move(serve)), interrupt_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
        if (interrupt_ < 0)
            throw std::system_error(errno, std::generic_category(), "eventfd");
    }
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;
    ~Waiter() { ::close(interrupt_); }

    /// @name The host's thread
    /// @{

    /// Waits for that descriptor from now on, and for no other: has left the last one when it returns. -1: for none.
    void watch(int descriptor) noexcept;

    /// Posts after that time, if nothing has come before; none: for ever. Lets the thread go that waits for a dispatch.
    void waitFor(std::optional<std::chrono::milliseconds> wait) noexcept;

    /// The thread shall end, and nothing be served any more.
    void end() noexcept;
    /// @}

    /// The other thread, until the end.
    void run(const Post& post);

private:
    enum class Stage { Waits, Posted, Serves };

    class Posted;

    std::optional<Clock::time_point> pollUntil() const noexcept { return holdOff_ ? holdOff_ : until_; }
    bool waitOnce(std::unique_lock<std::mutex>& lock);
    void interrupt() noexcept;
    void serve();
    void dropped() noexcept;

    Task serve_; // the host's thread's; null after the end
    const int interrupt_;

    std::mutex mutex_; // of what follows
    std::condition_variable changed_;
    Stage stage_ = Stage::Waits;
    int descriptor_ = -1;
    std::optional<Clock::time_point> until_;
    std::optional<Clock::time_point> holdOff_; // nothing is posted before: the host has dropped the last one
    std::optional<Clock::time_point> polled_;  // until when the thread polls
    std::uint64_t polls_ = 0;
    bool polling_ = false;
    bool interrupted_ = false;
    bool ended_ = false;
};

/// What the host is given, in a function that it may copy: knows whether it was called before the last copy went.
class Waiter::Posted {
public:
    explicit Posted(std::shared_ptr<Waiter> waiter) noexcept : waiter_(std::move(waiter)) {}
    Posted(const Posted&) = delete;
    Posted& operator=(const Posted&) = delete;
    ~Posted() {
        if (!called_)
            waiter_->dropped();
    }

    void call() {
        if (!std::exchange(called_, true))
            waiter_->serve();
    }

private:
    std::shared_ptr<Waiter> waiter_;
    bool called_ = false;
};

/// The thread, with a Waiter of its own. Its functions are called on the host's thread.
class WaiterThread {
public:
    WaiterThread(Waiter::Post post, Waiter::Task serve) : waiter_(std::make_shared<Waiter>(std::move(serve))) {
        sigset_t all;
        sigset_t before;
        sigfillset(&all);
        ::pthread_sigmask(SIG_SETMASK, &all, &before); // the program's threads handle its signals
        try {
            thread_ = std::thread([waiter = waiter_, post = std::move(post)] { waiter->run(post); });
        } catch (...) {
            ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
            throw;
        }
        ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    }
    WaiterThread(const WaiterThread&) = delete;
    WaiterThread& operator=(const WaiterThread&) = delete;
    ~WaiterThread() {
        waiter_->end();
        thread_.join();
    }

    void watch(int descriptor) noexcept { waiter_->watch(descriptor); }
    void waitFor(std::optional<std::chrono::milliseconds> wait) noexcept { waiter_->waitFor(wait); }

private:
    std::shared_ptr<Waiter> waiter_;
    std::thread thread_;
};

inline void Waiter::watch(int descriptor) noexcept {
    std::unique_lock lock(mutex_);
    descriptor_ = descriptor;
    interrupt();
    changed_.wait(lock, [this, poll = polls_] { return !polling_ || polls_ != poll; });
}

inline void Waiter::waitFor(std::optional<std::chrono::milliseconds> wait) noexcept {
    const std::lock_guard lock(mutex_);
    until_.reset();
    if (wait)
        until_ = Clock::now() + *wait;
    holdOff_.reset();
    if (stage_ == Stage::Serves)
        stage_ = Stage::Waits;
    changed_.notify_all();
    if (until_ && (!polled_ || *until_ < *polled_))
        interrupt();
}

inline void Waiter::end() noexcept {
    serve_ = nullptr;
    const std::lock_guard lock(mutex_);
    ended_ = true;
    changed_.notify_all();
    interrupt();
}

inline void Waiter::run(const Post& post) {
    std::unique_lock lock(mutex_);
    while (!ended_) {
        if (stage_ != Stage::Waits) {
            changed_.wait(lock);
            continue;
        }
        if (!waitOnce(lock))
            continue;
        stage_ = Stage::Posted;
        lock.unlock();
        try {
            post([posted = std::make_shared<Posted>(shared_from_this())] { posted->call(); });
        } catch (const std::exception& error) {
            log::error("embedding: a host could not be posted to: {}", error.what());
        } catch (...) {
            log::error("embedding: a host could not be posted to");
        }
        lock.lock();
    }
}

// True: there is something for the host to do.
inline bool Waiter::waitOnce(std::unique_lock<std::mutex>& lock) {
    if (std::exchange(interrupted_, false)) {
        std::uint64_t count = 0;
        [[maybe_unused]] const auto read = ::read(interrupt_, &count, sizeof count);
    }
    pollfd watched[] = {{interrupt_, POLLIN, 0}, {holdOff_ ? -1 : descriptor_, POLLIN, 0}};
    int limit = -1;
    if ((polled_ = pollUntil()))
        limit = pollLimit(std::chrono::ceil<std::chrono::milliseconds>(*polled_ - Clock::now()));
    polling_ = true;
    ++polls_;
    lock.unlock();
    ::poll(watched, 2, limit);
    lock.lock();
    polling_ = false;
    changed_.notify_all();
    polled_.reset();
    if (interrupted_ || ended_)
        return false;               // something else is to be waited for
    const auto until = pollUntil(); // may be later than it was
    return watched[1].revents != 0 || (until && *until <= Clock::now());
}

// Of the lock's owner; when the thread does not poll, its next one returns at once.
inline void Waiter::interrupt() noexcept {
    if (!polling_ || std::exchange(interrupted_, true))
        return;
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(interrupt_, &one, sizeof one);
}

inline void Waiter::serve() {
    if (!serve_)
        return;
    {
        const std::lock_guard lock(mutex_);
        stage_ = Stage::Serves;
    }
    const Task copy = serve_; // the dispatch may destroy the adapter
    copy();
}

// On any thread, in the thread's own post as well.
inline void Waiter::dropped() noexcept {
    using namespace std::chrono_literals;
    const std::lock_guard lock(mutex_);
    stage_ = Stage::Waits;
    holdOff_ = Clock::now() + 100ms;
    changed_.notify_all();
}

} // namespace torsion::detail
