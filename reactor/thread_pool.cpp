#include <reactor/thread_pool.hpp>

#include <reactor/detail/class_name.hpp>
#include <reactor/errors.hpp>
#include <reactor/log.hpp>

#include <spdlog/fmt/fmt.h>

#include <signal.h>

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <list>
#include <mutex>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <utility>

namespace torsion {

namespace {

// A longer wait than this is one without end, and could not be added to a time.
constexpr std::chrono::hours kLongest{24 * 365};

void check(const ThreadPoolOptions& options) {
    if (options.maxThreads == 0 || options.maxThreads < options.minThreads) {
        throw std::invalid_argument(
            fmt::format("a thread pool must have at least one thread and minThreads, not {}", options.maxThreads));
    }
    if (options.idleTimeout.count() < 0)
        throw std::invalid_argument("a thread pool's idleTimeout is negative");
    if (options.stopTimeout.count() < 0)
        throw std::invalid_argument("a thread pool's stopTimeout is negative");
}

/// So far from now, as far as there is such a time.
std::chrono::steady_clock::time_point after(std::chrono::milliseconds time) {
    return std::chrono::steady_clock::now() + std::min<std::chrono::milliseconds>(time, kLongest);
}

} // namespace

/// One thread of a pool; lives in one of the lists of Shared.
struct ThreadPool::Worker {
    std::thread thread{};
    const std::type_info* call = nullptr; // what it calls at present
    std::size_t blocked = 0;              // of the call's: waits for a reactor
    bool left = false;                    // the pool has nothing to do with it any more
};

/// What the pool and its threads share; lives as long as the last of them.
///
///     Stopped ──start──▶ Running ──beginStop──▶ Stopping ──last thread ended, or leaveBehind──▶ Stopped
///        └────────────── abandon, from each ──────────────▶ Abandoned
struct ThreadPool::Shared : std::enable_shared_from_this<Shared> {
    using Lock = std::unique_lock<std::mutex>;
    using Threads = std::list<Worker>;
    enum class Phase : std::uint8_t { Stopped, Running, Stopping, Abandoned };

    struct Call {
        std::uint64_t number = 0;
        Function<void()> function{};
        const std::type_info* type = nullptr;
    };

    explicit Shared(const ThreadPoolOptions& itsOptions) : options(itsOptions) {}

    bool mayBegin() const;
    bool isWorking() const;
    bool mayRunBeforeStop() const { return !waiting.empty() && waiting.front().number <= lastToRun; }
    void spawn();
    void spawnForWaiting();
    void work(Threads::iterator self) noexcept;
    Call takeCall(Lock& lock);
    void endThread(Lock& lock, Threads::iterator self) noexcept;
    void idle(Lock& lock) noexcept;
    std::string leaveRunning();

    mutable std::mutex mutex;
    std::condition_variable changed; // for the threads
    std::condition_variable stopped; // for join()
    ThreadPoolOptions options;
    std::deque<Call> waiting;
    Threads threads;
    Threads ended; // to be joined, at most one after the other
    Threads left;  // detached, until they end
    std::size_t idlers = 0;
    std::size_t working = 0;
    std::size_t blocked = 0; // of those that work: wait for a reactor
    std::uint64_t lastNumber = 0;
    std::uint64_t lastToRun = 0; // while stopping
    Phase phase = Phase::Stopped;
    bool startAsked = false;
    Function<void()> onStopped;
    Function<void()> onNeeded;
    Function<void()> onIdle;

    static inline thread_local Shared* current = nullptr; // whose thread this is
    static inline thread_local Worker* worker = nullptr;  // and which
};

bool ThreadPool::Shared::mayBegin() const {
    if (waiting.empty() || threads.size() > options.maxThreads)
        return false;
    return phase == Phase::Running || (phase == Phase::Stopping && mayRunBeforeStop());
}

/// Whether something goes on without the reactor. A call that no thread is free for does not: it waits for those that
/// wait for the reactor.
bool ThreadPool::Shared::isWorking() const {
    const bool isThreadFree = working < threads.size() || threads.size() < options.maxThreads;
    return working != blocked || (mayBegin() && isThreadFree);
}

// With the lock held. Throws std::system_error.
void ThreadPool::Shared::spawn() {
    sigset_t all;
    sigset_t before;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    const auto place = threads.emplace(threads.end());
    try {
        place->thread = std::thread([self = shared_from_this(), place] { self->work(place); });
    } catch (...) {
        threads.erase(place);
        ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
        throw;
    }
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

// As many threads as there is work for. Some are enough to go on with; none is an error.
void ThreadPool::Shared::spawnForWaiting() {
    const std::size_t wanted =
        std::min(options.maxThreads, std::max(options.minThreads, threads.size() - idlers + waiting.size()));
    while (threads.size() < wanted) {
        try {
            spawn();
        } catch (const std::system_error& error) {
            if (threads.empty())
                throw;
            log::warn("a thread pool has {} threads, and cannot have more: {}", threads.size(), error.what());
            return;
        }
    }
}

/// Waits for a call; empty: the thread is not needed any more.
ThreadPool::Shared::Call ThreadPool::Shared::takeCall(Lock& lock) {
    const auto end = after(options.idleTimeout);
    bool timedOut = false;
    while (!mayBegin()) {
        const bool spare = threads.size() > options.minThreads;
        if (phase != Phase::Running || threads.size() > options.maxThreads || (timedOut && spare))
            return {};
        ++idlers;
        if (spare)
            timedOut = changed.wait_until(lock, end) == std::cv_status::timeout;
        else
            changed.wait(lock);
        --idlers;
    }
    Call call = std::move(waiting.front());
    waiting.pop_front();
    return call;
}

void ThreadPool::Shared::work(Threads::iterator self) noexcept {
    current = this;
    worker = &*self;
    Lock lock(mutex);
    for (Call taken = takeCall(lock); taken.function; taken = takeCall(lock)) {
        Function<void()>& call = taken.function;
        ++working;
        self->call = taken.type;
        lock.unlock();
        try {
            call();
            call.reset(); // what it holds goes here, too
        } catch (...) {
            try {
                log::error("Exception in a thread's call: {}", Failure::current().toString());
            } catch (...) { // a prefix that throws, or no memory for the text
            }
        }
        call.reset();
        lock.lock();
        if (self->left) {
            left.erase(self);
            return;
        }
        --working;
        self->call = nullptr;
        idle(lock);
    }
    endThread(lock, self);
}

/// Gives up the threads whose calls run. @returns the types of these.
std::string ThreadPool::Shared::leaveRunning() {
    constexpr std::size_t kNamed = 10;
    std::string names;
    std::size_t count = 0;
    for (auto next = threads.begin(); next != threads.end();) {
        const auto each = next++;
        if (each->call == nullptr)
            continue;
        if (++count <= kNamed)
            names += (names.empty() ? "" : ", ") + detail::className(*each->call);
        each->left = true;
        each->thread.detach();
        --working;
        blocked -= each->blocked;
        left.splice(left.end(), threads, each);
    }
    return count > kNamed ? fmt::format("{} and {} more", names, count - kNamed) : names;
}

// Says so when nothing is left to do.
void ThreadPool::Shared::idle(Lock& lock) noexcept {
    if (isWorking() || !onIdle || phase == Phase::Abandoned)
        return;
    lock.unlock();
    onIdle();
    lock.lock();
}

// Each thread joins those that ended before it, and leaves itself to the next.
void ThreadPool::Shared::endThread(Lock& lock, Threads::iterator self) noexcept {
    if (phase == Phase::Abandoned) // nobody joins any more
        return;
    Threads others;
    others.swap(ended);
    ended.splice(ended.end(), threads, self);
    if (phase == Phase::Stopping && threads.empty()) {
        phase = Phase::Stopped;
        if (onStopped)
            std::exchange(onStopped, {})();
        stopped.notify_all();
    }
    lock.unlock();
    for (Worker& other : others)
        other.thread.join();
}

ThreadPool::ThreadPool(const ThreadPoolOptions& options) {
    check(options);
    shared_ = std::make_shared<Shared>(options);
}

ThreadPool::~ThreadPool() {
    abandon();
}

void ThreadPool::start() {
    const Shared::Lock lock(shared_->mutex);
    if (shared_->phase == Shared::Phase::Running || shared_->phase == Shared::Phase::Abandoned)
        return;
    shared_->phase = Shared::Phase::Running;
    shared_->startAsked = false;
    shared_->onStopped.reset();
    shared_->changed.notify_all();
    shared_->spawnForWaiting();
}

void ThreadPool::stop() {
    if (Shared::current == shared_.get())
        throw std::logic_error("a thread pool cannot be stopped by one of its own threads");
    beginStop(nullptr);
    {
        Shared::Lock lock(shared_->mutex);
        shared_->stopped.wait_until(lock, after(shared_->options.stopTimeout),
                                    [this] { return shared_->phase != Shared::Phase::Stopping; });
    }
    const std::string left = leaveBehind();
    if (!left.empty())
        throw ThreadPoolError(left);
    join();
}

bool ThreadPool::beginStop(Function<void()> onStopped) {
    const Shared::Lock lock(shared_->mutex);
    if (shared_->phase != Shared::Phase::Running)
        return false;
    try {
        shared_->spawnForWaiting();
    } catch (const std::system_error& error) {
        log::error("{} calls for a thread wait on: {}", shared_->waiting.size(), error.what());
    }
    if (shared_->threads.empty()) {
        shared_->phase = Shared::Phase::Stopped;
        return false;
    }
    shared_->phase = Shared::Phase::Stopping;
    shared_->lastToRun = shared_->lastNumber;
    shared_->onStopped = std::move(onStopped);
    shared_->changed.notify_all();
    return true;
}

void ThreadPool::join() {
    Shared::Threads ended;
    {
        Shared::Lock lock(shared_->mutex);
        shared_->stopped.wait(lock, [this] { return shared_->phase != Shared::Phase::Stopping; });
        if (shared_->threads.empty())
            ended.swap(shared_->ended);
    }
    for (Worker& worker : ended)
        worker.thread.join();
}

std::string ThreadPool::leaveBehind() {
    std::deque<Shared::Call> dropped; // destroyed without the lock: what a call holds may use the pool
    std::string running;
    std::size_t before = 0;
    {
        const Shared::Lock lock(shared_->mutex);
        if (shared_->phase != Shared::Phase::Stopping)
            return {};
        before = shared_->working;
        if (before == 0 && !shared_->mayRunBeforeStop()) // its threads end at present: a success, though a late one
            return {};
        running = shared_->leaveRunning();
        while (shared_->mayRunBeforeStop()) {
            dropped.push_back(std::move(shared_->waiting.front()));
            shared_->waiting.pop_front();
        }
        shared_->phase = Shared::Phase::Stopped;
        shared_->onStopped.reset();
        shared_->changed.notify_all();
        shared_->stopped.notify_all();
    }
    std::string text =
        fmt::format("A thread pool was stopped while {} of its calls ran{}{}; {} that waited were dropped.", before,
                    before == 0 ? "" : ", which go on: ", running, dropped.size());
    log::error("{}", text);
    return text;
}

void ThreadPool::abandon() noexcept {
    std::deque<Shared::Call> dropped; // destroyed without the lock: what a call holds may use the pool
    const Shared::Lock lock(shared_->mutex);
    if (shared_->phase == Shared::Phase::Abandoned)
        return;
    shared_->phase = Shared::Phase::Abandoned;
    dropped.swap(shared_->waiting);
    for (Shared::Threads* threads : {&shared_->threads, &shared_->ended}) {
        for (Worker& worker : *threads)
            worker.thread.detach();
    }
    shared_->changed.notify_all();
    shared_->stopped.notify_all();
}

void ThreadPool::configure(const ThreadPoolOptions& options) {
    check(options);
    const Shared::Lock lock(shared_->mutex);
    shared_->options = options;
    shared_->changed.notify_all();
    if (shared_->phase == Shared::Phase::Running)
        shared_->spawnForWaiting();
}

ThreadPoolOptions ThreadPool::options() const {
    const Shared::Lock lock(shared_->mutex);
    return shared_->options;
}

ThreadPoolStats ThreadPool::stats() const {
    const Shared::Lock lock(shared_->mutex);
    return {shared_->threads.size(), shared_->working, shared_->waiting.size()};
}

void ThreadPool::onNeeded(Function<void()> onNeeded) {
    shared_->onNeeded = std::move(onNeeded);
}

void ThreadPool::onIdle(Function<void()> onIdle) {
    shared_->onIdle = std::move(onIdle);
}

bool ThreadPool::isBusy() const {
    const Shared::Lock lock(shared_->mutex);
    const bool ending = shared_->phase == Shared::Phase::Stopping && shared_->working == 0;
    return shared_->isWorking() || ending;
}

void ThreadPool::add(Function<void()> call, const std::type_info& type) {
    Shared& shared = *shared_;
    Shared::Lock lock(shared.mutex);
    if (shared.phase == Shared::Phase::Abandoned)
        throw ThreadPoolError("The thread pool's reactor is gone.");
    if (shared.waiting.size() >= shared.options.maxWaiting)
        throw ThreadPoolError(fmt::format("{} calls wait for a thread already.", shared.waiting.size()));
    shared.waiting.push_back({++shared.lastNumber, std::move(call), &type});
    if (shared.phase == Shared::Phase::Running) {
        try {
            shared.spawnForWaiting();
        } catch (...) {
            call = std::move(shared.waiting.back().function); // destroyed without the lock
            shared.waiting.pop_back();
            lock.unlock();
            throw;
        }
        shared.changed.notify_one();
    } else if (!std::exchange(shared.startAsked, true) && shared.onNeeded) {
        lock.unlock();
        shared.onNeeded();
    }
}

ThreadPool::Waiting::Waiting() {
    if (Shared::current == nullptr)
        return;
    pool_ = Shared::current->shared_from_this();
    worker_ = Shared::worker;
    Shared::Lock lock(pool_->mutex);
    ++worker_->blocked;
    if (worker_->left)
        return;
    ++pool_->blocked;
    pool_->idle(lock);
}

ThreadPool::Waiting::~Waiting() {
    if (!pool_)
        return;
    const Shared::Lock lock(pool_->mutex);
    --worker_->blocked;
    if (!worker_->left)
        --pool_->blocked;
}

} // namespace torsion
