#pragma once

#include <reactor/failure.hpp>
#include <reactor/function.hpp>
#include <reactor/result.hpp>
#include <reactor/time_point.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <typeinfo>
#include <utility>

namespace torsion {

/// How a ThreadPool behaves.
struct ThreadPoolOptions {
    std::size_t minThreads = 0;  ///< that stay when there is nothing to do; they begin with start()
    std::size_t maxThreads = 10; ///< at once; at least 1 and minThreads

    /// How long a thread beyond `minThreads` stays without work.
    std::chrono::milliseconds idleTimeout{30'000};

    /// Calls that may wait for a thread; one more is refused.
    std::size_t maxWaiting = 65'536;

    /// How long a stop waits for the calls, all in all; then it goes on without them.
    std::chrono::milliseconds stopTimeout{60'000};
};
static_assert(std::is_trivially_destructible_v<ThreadPoolOptions>);

/// What a ThreadPool is doing.
struct ThreadPoolStats {
    std::size_t threads = 0; ///< that exist
    std::size_t working = 0; ///< calls that run
    std::size_t waiting = 0; ///< calls that wait for a thread
};

namespace detail {

/// The value of a function that a thread calls.
template <class R>
struct ThreadValue {
    static_assert(!kIsDeferred<std::remove_cvref_t<R>>,
                  "a function for another thread cannot return a Deferred, which belongs to the reactor's thread");
    using Type = std::remove_cvref_t<R>;
};
template <>
struct ThreadValue<Failure> {
    using Type = void;
};
template <class T>
struct ThreadValue<Result<T>> {
    using Type = T;
};
template <class F>
using ThreadValueOf = typename ThreadValue<std::invoke_result_t<F&>>::Type;

/// A function with its arguments, which it is given as rvalues: it is called once.
template <class F, class... Args>
auto bindCall(F&& f, Args&&... args) {
    static_assert(std::is_invocable_v<std::decay_t<F>, std::decay_t<Args>...>,
                  "the function cannot be called with these arguments, which are copied or moved to the thread");
    if constexpr (sizeof...(Args) == 0) {
        return std::decay_t<F>(std::forward<F>(f));
    } else {
        return [f = std::decay_t<F>(std::forward<F>(f)),
                arguments = std::tuple<std::decay_t<Args>...>(std::forward<Args>(args)...)]() mutable {
            return std::apply(std::move(f), std::move(arguments));
        };
    }
}
template <class F, class... Args>
using BoundCall = decltype(bindCall(std::declval<F>(), std::declval<Args>()...));

/// Calls `f`; what it throws is the failure.
template <class F>
Result<ThreadValueOf<F>> callForResult(F& f) noexcept {
    using R = std::invoke_result_t<F&>;
    try {
        if constexpr (std::is_void_v<R>) {
            std::invoke(f);
            return {};
        } else if constexpr (std::is_same_v<R, Failure>) {
            if (Failure failure = std::invoke(f))
                return failure;
            return {};
        } else {
            return std::invoke(f);
        }
    } catch (...) {
        return Failure::current();
    }
}

} // namespace detail

/// Threads that call functions, in the order in which they were given; a thread for each that waits until there are as
/// many as allowed. Calls that were given before start() wait for it (S-147). All signals are blocked in the threads:
/// the program's handlers run on the program's own.
///
/// Every reactor has one, `reactor.getThreadPool()`, which starts and stops with it; others belong to who made them.
/// Thread-safe. What a function throws is logged, and its thread goes on (S-149). After Twisted's ThreadPool.
class ThreadPool {
    struct Shared;
    struct Worker;

public:
    /// Throws std::invalid_argument as configure() does.
    explicit ThreadPool(const ThreadPoolOptions& options = {});
    ThreadPool(const ThreadPool&) = delete;
    ThreadPool& operator=(const ThreadPool&) = delete;

    /// Waits for nothing: calls that wait are dropped, those that run go on to their end. See stop().
    ~ThreadPool();

    /// Lets calls begin. Does nothing when they do already; a stop that is under way is taken back.
    void start();

    /// Calls all that was given so far, and returns when the threads have ended. What is given meanwhile, by the calls
    /// themselves for instance, waits for the next start().
    ///
    /// That takes `stopTimeout` at most. What waits then is dropped, and what runs is left to its thread, which is not
    /// waited for any more, not at the end of the process either, and with what it uses must live as long as it does.
    /// Both are logged, and ThreadPoolError is thrown: the types of the functions that run are named. The pool can be
    /// started again.
    /// Throws std::logic_error on one of the pool's own threads, which could not end.
    void stop();

    /// Sets limits; they hold at once, as far as threads have nothing to do.
    /// Throws std::invalid_argument when maxThreads is 0 or less than minThreads, or a time is negative.
    void configure(const ThreadPoolOptions& options);
    ThreadPoolOptions options() const;

    ThreadPoolStats stats() const;

    /// Has `f(args…)` called on a thread; both are copied or moved there, as by std::thread.
    /// Throws ThreadPoolError when too many calls wait, or the pool's reactor is gone; std::system_error when there is
    /// no thread and none can be made.
    template <class F, class... Args>
    void callInThread(F&& f, Args&&... args) {
        add(Function<void()>(detail::bindCall(std::forward<F>(f), std::forward<Args>(args)...)),
            typeid(std::decay_t<F>));
    }

    /// As callInThread, and then calls `onResult(Result<R>)` on that same thread, where R is what `f` returns (S-149).
    template <class G, class F, class... Args>
    void callInThreadWithCallback(G&& onResult, F&& f, Args&&... args) {
        using Call = detail::BoundCall<F, Args...>;
        static_assert(std::is_invocable_v<std::decay_t<G>, Result<detail::ThreadValueOf<Call>>>,
                      "onResult takes a Result<R>, where R is what the function returns");
        add(
            [onResult = std::decay_t<G>(std::forward<G>(onResult)),
             call = Call(detail::bindCall(std::forward<F>(f), std::forward<Args>(args)...))]() mutable {
                std::invoke(std::move(onResult), detail::callForResult(call));
            },
            typeid(std::decay_t<F>));
    }

    /// @name For reactors
    /// @{

    /// As callInThread.
    /// @param type of what the call is made for, for messages.
    void callInThreadAs(const std::type_info& type, Function<void()> call) { add(std::move(call), type); }

    /// Begins what stop() does, without waiting. @returns false when there was nothing to wait for.
    /// @param onStopped called once on the last thread as it ends, unless the pool was started again before; must not
    ///     use the pool.
    bool beginStop(Function<void()> onStopped);

    /// Waits until the threads have ended; after beginStop().
    void join();

    /// Ends a stop that goes on, as stop() does after `stopTimeout`; `onStopped` is not called. Logs what is left.
    /// @returns what was logged; empty when no stop went on.
    std::string leaveBehind();

    /// What the destructor does; calls are refused afterwards.
    void abandon() noexcept;

    /// @param onNeeded called when a call waits for start(), once until then, by whoever gave that call. Before the
    /// pool
    ///     is used.
    void onNeeded(Function<void()> onNeeded);

    /// @param onIdle called on a thread of the pool each time that no call runs or waits any more. Before the pool is
    ///     used.
    void onIdle(Function<void()> onIdle);

    /// Whether calls run that do not wait for the reactor, or could begin, or the threads are about to have ended.
    bool isBusy() const;

    /// While it lives, the call that makes it on a thread of a pool counts as waiting for a reactor. Does nothing
    /// elsewhere. May be destroyed on another thread.
    class Waiting {
    public:
        Waiting();
        Waiting(const Waiting&) = delete;
        Waiting& operator=(const Waiting&) = delete;
        ~Waiting();

    private:
        std::shared_ptr<Shared> pool_; // null elsewhere
        Worker* worker_ = nullptr;     // whose call waits, and therefore lives
    };
    /// @}

private:
    /// @param type of what the call is, for messages.
    void add(Function<void()> call, const std::type_info& type);

    std::shared_ptr<Shared> shared_;
};

} // namespace torsion
