#include <reactor/libuv/thread_resolver.hpp>

#include <reactor/detail/system_names.hpp>

#include <spdlog/fmt/fmt.h>

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <string_view>
#include <utility>

namespace torsion {

/// One look-up. The reactor's thread owns `lookup`, the others read the rest, which never changes.
struct ThreadResolver::Job {
    NameQuery query;
    PendingLookup* lookup; // null once abandoned or answered
};

/// What the resolver and its threads share; lives as long as the last of them.
struct ThreadResolver::Shared {
    Shared(Remote itsRemote, Query itsQuery) : remote(std::move(itsRemote)), query(itsQuery) {}

    std::shared_ptr<Job> takeJob();
    void forget(const Job& job);

    const Remote remote;
    const Query query;
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<std::shared_ptr<Job>> waiting;
    std::size_t threads = 0;
    std::size_t idle = 0;
    bool ended = false;
};

class ThreadResolver::PendingLookup final : public Resolver::Lookup {
public:
    PendingLookup(std::shared_ptr<Shared> shared, std::shared_ptr<Job> job, EntryCallback callback)
        : shared_(std::move(shared)), job_(std::move(job)), callback_(std::move(callback)) {
        job_->lookup = this;
    }
    ~PendingLookup() override {
        if (!job_->lookup)
            return;
        job_->lookup = nullptr;
        shared_->forget(*job_);
    }

    /// May destroy this object, in the callback.
    void answer(Answer answer) {
        job_->lookup = nullptr;
        EntryCallback callback = std::move(callback_);
        callback(std::move(answer.entry), answer.failure);
    }

private:
    std::shared_ptr<Shared> shared_;
    std::shared_ptr<Job> job_;
    EntryCallback callback_;
};

/// Waits for a job; null: there will be none.
std::shared_ptr<ThreadResolver::Job> ThreadResolver::Shared::takeJob() {
    std::unique_lock lock(mutex);
    ++idle;
    changed.wait(lock, [this] { return ended || !waiting.empty(); });
    --idle;
    if (waiting.empty())
        return nullptr;
    std::shared_ptr<Job> job = std::move(waiting.front());
    waiting.pop_front();
    return job;
}

void ThreadResolver::Shared::forget(const Job& job) {
    const std::lock_guard lock(mutex);
    std::erase_if(waiting, [&job](const auto& each) { return each.get() == &job; });
}

ThreadResolver::ThreadResolver(Remote remote) : ThreadResolver(std::move(remote), &detail::querySystem) {}

ThreadResolver::ThreadResolver(Remote remote, Query query)
    : shared_(std::make_shared<Shared>(std::move(remote), query)) {}

// What still waits was not abandoned: the resolver was replaced, and its threads finish the work.
ThreadResolver::~ThreadResolver() {
    const std::lock_guard lock(shared_->mutex);
    shared_->ended = true;
    shared_->changed.notify_all();
}

std::unique_ptr<Resolver::Lookup> ThreadResolver::lookUp(const NameQuery& query, EntryCallback callback) {
    auto job = std::make_shared<Job>(Job{query, nullptr});
    auto lookup = std::make_unique<PendingLookup>(shared_, job, std::move(callback));
    if (Failure failure = enqueue(job)) {
        shared_->remote.post([job, failure = std::move(failure)] {
            if (job->lookup)
                job->lookup->answer({{.timeToLive = std::chrono::seconds(0)}, failure});
        });
    }
    return lookup;
}

Failure ThreadResolver::enqueue(const std::shared_ptr<Job>& job) {
    const std::lock_guard lock(shared_->mutex);
    if (shared_->waiting.size() >= kMaxWaiting) {
        return job->query.failed(fmt::format("{} look-ups are waiting already", kMaxWaiting));
    }
    const bool wantsThread = shared_->idle <= shared_->waiting.size() && shared_->threads < kThreads;
    if (wantsThread && startThread(shared_))
        ++shared_->threads;
    if (shared_->threads == 0)
        return job->query.failed("no thread can be started");
    shared_->waiting.push_back(job);
    shared_->changed.notify_one();
    return {};
}

// All signals are blocked in it: the program's handlers run on the program's threads.
bool ThreadResolver::startThread(const std::shared_ptr<Shared>& shared) {
    pthread_attr_t attributes;
    if (::pthread_attr_init(&attributes) != 0)
        return false;
    ::pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    ::pthread_attr_setstacksize(&attributes, kStackSize);
    sigset_t all;
    sigset_t before;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    auto argument = std::make_unique<std::shared_ptr<Shared>>(shared);
    pthread_t thread;
    const bool started = ::pthread_create(&thread, &attributes, &runThread, argument.get()) == 0;
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    ::pthread_attr_destroy(&attributes);
    if (started)
        static_cast<void>(argument.release()); // the thread's now
    return started;
}

// The answer touches the job's lookup, which is the reactor thread's, only there. When the reactor is gone it is
// dropped here, and holds nothing of anybody's.
void* ThreadResolver::runThread(void* argument) {
    const std::unique_ptr<std::shared_ptr<Shared>> owned(static_cast<std::shared_ptr<Shared>*>(argument));
    Shared& shared = **owned;
    while (const std::shared_ptr<Job> job = shared.takeJob()) {
        Answer answer;
        try {
            answer = shared.query(job->query);
        } catch (...) { // no memory
            answer.failure = Failure::current();
        }
        shared.remote.post([job, answer = std::move(answer)]() mutable {
            if (job->lookup)
                job->lookup->answer(std::move(answer));
        });
    }
    return nullptr;
}

} // namespace torsion
