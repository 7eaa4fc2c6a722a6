#pragma once

#include <reactor/deferred.hpp>
#include <reactor/errors.hpp>
#include <reactor/failure.hpp>
#include <reactor/function.hpp>
#include <reactor/reactor.hpp>
#include <reactor/result.hpp>
#include <reactor/thread_pool.hpp>

#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <source_location>
#include <stdexcept>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

/// Between a reactor's thread and others: results of other threads for the reactor, and of the reactor for others.

namespace torsion {

namespace detail {

/// A reactor given to a function that ends with any number of arguments, behind which no default argument can stand:
/// the place of the call comes with it.
struct PlacedReactor {
    PlacedReactor(Reactor& itsReactor, std::source_location itsPlace = std::source_location::current()) noexcept
        : reactor(itsReactor), place(itsPlace) {}

    Reactor& reactor;
    std::source_location place;
};

/// A Deferred that waits for another thread. The promise and what is pending belong to the reactor's thread: what other
/// threads hold of this object is the mark alone.
template <class U>
class ThreadCall {
public:
    /// @returns the Deferred of `call`, which fails when the reactor is destroyed first.
    static Deferred<U> begin(const std::shared_ptr<ThreadCall>& call, Reactor& reactor,
                             const std::source_location& place) {
        call->pending_ = reactor.keepPending([call] {
            call->finish(Failure::of<CancelledError>("The reactor was destroyed before the thread's call ended."));
        });
        Promise<U>& promise = call->promise_.emplace(place);
        promise.onCancel([call] { call->cancelled_ = true; });
        return promise.deferred();
    }

    bool isCancelled() const noexcept { return cancelled_; }

    /// The reactor's thread. Once: what comes later has no effect.
    void finish(Result<U> result) {
        pending_.end();
        if (!promise_)
            return;
        Promise<U> promise = std::move(*promise_);
        promise_.reset();
        if (!promise.isFired())
            promise.fire(std::move(result));
    }

private:
    std::optional<Promise<U>> promise_;
    PendingOperation pending_;
    std::atomic<bool> cancelled_{false};
};

/// What the pool calls for a ThreadCall. However it ends, the reactor is told.
template <class F>
class ThreadJob {
    using U = ThreadValueOf<F>;

public:
    ThreadJob(std::shared_ptr<ThreadCall<U>> call, Remote remote, F function)
        : call_(std::move(call)), remote_(std::move(remote)), function_(std::move(function)) {}
    ThreadJob(ThreadJob&& other) noexcept(std::is_nothrow_move_constructible_v<F>) = default;
    ThreadJob& operator=(ThreadJob&&) = delete;
    ~ThreadJob() {
        if (call_)
            deliver(Failure::of<CancelledError>("The thread pool ended before the call began."));
    }

    void operator()() {
        if (call_->isCancelled()) {
            deliver(Failure::of<CancelledError>());
            return;
        }
        Result<U> result = callForResult(*function_);
        function_.reset(); // what it holds goes on this thread
        deliver(std::move(result));
    }

private:
    void deliver(Result<U> result) {
        remote_.post(
            [call = std::move(call_), result = std::move(result)]() mutable { call->finish(std::move(result)); });
    }

    std::shared_ptr<ThreadCall<U>> call_; // null once delivered or moved from
    Remote remote_;
    std::optional<F> function_;
};

/// A thread that waits for the reactor.
template <class U>
class BlockingCall {
public:
    /// The thread that waits.
    U wait() {
        {
            const std::lock_guard lock(mutex_);
            if (!finished_)
                waiting_.emplace();
        }
        return promise_.get_future().get().value();
    }

    /// The reactor's thread, or, when it is not there any more, the one that waits. Once: what comes later has no
    /// effect.
    void finish(Result<U> result) {
        pending_.end();
        const std::lock_guard lock(mutex_);
        if (std::exchange(finished_, true))
            return;
        waiting_.reset(); // from now on, and not only when it has noticed
        promise_.set_value(std::move(result));
    }

    void begin(Reactor& reactor, const std::shared_ptr<BlockingCall>& self) {
        pending_ = reactor.keepPending([self] { self->finish(Failure::of<CancelledError>(kGone)); });
    }

    static constexpr const char* kGone = "The reactor was destroyed before there was a result.";

private:
    std::promise<Result<U>> promise_;
    PendingOperation pending_;
    std::mutex mutex_;
    std::optional<ThreadPool::Waiting> waiting_;
    bool finished_ = false;
};

/// What is posted for a BlockingCall. When the reactor drops it, that is an end, too.
template <class F>
class BlockingJob {
public:
    using U = ValueOfReturn<std::invoke_result_t<F&>>;
    using Value = std::conditional_t<std::is_same_v<U, OnlyFails>, void, U>;

    BlockingJob(std::shared_ptr<BlockingCall<Value>> call, Reactor& reactor, F function)
        : call_(std::move(call)), reactor_(&reactor), function_(std::move(function)) {}
    BlockingJob(BlockingJob&& other) noexcept(std::is_nothrow_move_constructible_v<F>) = default;
    BlockingJob& operator=(BlockingJob&&) = delete;
    ~BlockingJob() {
        if (call_)
            call_->finish(Failure::of<CancelledError>(BlockingCall<Value>::kGone));
    }

    void operator()() {
        const std::shared_ptr<BlockingCall<Value>> call = std::move(call_);
        call->begin(*reactor_, call);
        callStep<Value>(std::source_location::current(), function_)
            .addBoth([call](Result<Value> result) { call->finish(std::move(result)); })
            .detach();
    }

private:
    std::shared_ptr<BlockingCall<Value>> call_;
    Reactor* reactor_;
    F function_;
};

} // namespace detail

/// Calls `f(args…)` on a thread of `pool`; the Deferred fires with what it returns or throws, on the reactor's thread,
/// in a later phase (S-148). `f` may return a Result or a Failure, too. Function and arguments are copied or moved to
/// the thread, and destroyed there.
///
/// Cancelling fails the Deferred at once; a call that has not begun never begins, the result of one that has is dropped
/// (unlike Twisted, where cancelling does nothing for the thread). The Deferred fails with CancelledError when the pool
/// or the reactor is destroyed before the result is there, and with ThreadPoolError or std::system_error when the pool
/// does not take the call. The reactor's thread.
template <class F, class... Args>
auto deferToThreadPool(detail::PlacedReactor placed, ThreadPool& pool, F&& f, Args&&... args) {
    using Call = detail::BoundCall<F, Args...>;
    using U = detail::ThreadValueOf<Call>;
    const auto call = std::make_shared<detail::ThreadCall<U>>();
    Deferred<U> deferred = detail::ThreadCall<U>::begin(call, placed.reactor, placed.place);
    try {
        pool.callInThreadAs(typeid(std::decay_t<F>),
                            detail::ThreadJob<Call>(call, placed.reactor.remote(),
                                                    detail::bindCall(std::forward<F>(f), std::forward<Args>(args)...)));
    } catch (...) {
        call->finish(Failure::current());
    }
    return deferred;
}

/// As deferToThreadPool, on the reactor's own pool.
/// @code
/// auto loading = torsion::deferToThread(reactor, readWholeFile, path);
/// std::string text = co_await std::move(loading);
/// @endcode
template <class F, class... Args>
auto deferToThread(detail::PlacedReactor placed, F&& f, Args&&... args) {
    return deferToThreadPool(placed, placed.reactor.getThreadPool(), std::forward<F>(f), std::forward<Args>(args)...);
}

/// Has the functions called one after the other, on one thread. When one throws, that is logged, and those behind it
/// are not called. Any thread.
inline void callMultipleInThread(Reactor& reactor, std::vector<Function<void()>> functions) {
    reactor.callInThread([functions = std::move(functions)]() mutable {
        for (Function<void()>& function : functions)
            function();
    });
}

/// Has `f(args…)` called on the reactor's thread, and waits for its result; when that is a Deferred, for the
/// Deferred's. What `f` throws, or the Deferred fails with, is thrown here (S-150).
///
/// Waits for a reactor that is not running until it does. Throws CancelledError when the reactor is destroyed first (it
/// must be there when this is called), and std::logic_error on the reactor's thread, which would wait for itself for
/// ever in Twisted. All others.
template <class F, class... Args>
auto blockingCallFromThread(Reactor& reactor, F&& f, Args&&... args) {
    using Job = detail::BlockingJob<detail::BoundCall<F, Args...>>;
    if (reactor.isInReactorThread())
        throw std::logic_error("blockingCallFromThread: the reactor's thread would wait for itself");
    const auto call = std::make_shared<detail::BlockingCall<typename Job::Value>>();
    reactor.callFromThread(Job(call, reactor, detail::bindCall(std::forward<F>(f), std::forward<Args>(args)...)));
    return call->wait();
}

/// The result of a Deferred for another thread, which may wait for it; the reactor's own must not. A failure is the
/// future's exception. The reactor's thread.
template <class T>
std::future<T> toFuture(Deferred<T> deferred) {
    std::promise<T> promise;
    std::future<T> future = promise.get_future();
    std::move(deferred)
        .addBoth([promise = std::move(promise)](Result<T> result) mutable {
            try {
                if constexpr (std::is_void_v<T>) {
                    std::move(result).value();
                    promise.set_value();
                } else {
                    promise.set_value(std::move(result).value());
                }
            } catch (...) {
                promise.set_exception(std::current_exception());
            }
        })
        .detach();
    return future;
}

/// A Deferred for a future: at once when it is ready, else a thread of the reactor's pool waits for it. Futures of
/// std::async with std::launch::deferred run there. Cancelling gives the future up; a thread that waits for it goes on
/// waiting, and `run()` does not return before it has ended.
/// Throws std::invalid_argument when the future is not valid(). The reactor's thread.
template <class T>
Deferred<T> fromFuture(Reactor& reactor, std::future<T> future,
                       std::source_location place = std::source_location::current()) {
    if (!future.valid())
        throw std::invalid_argument("fromFuture: the future has no state");
    if (future.wait_for(std::chrono::seconds(0)) == std::future_status::ready)
        return execute([&future] { return future.get(); }, place);
    return deferToThread({reactor, place}, [future = std::move(future)]() mutable { return future.get(); });
}

} // namespace torsion
