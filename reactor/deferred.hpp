#pragma once

#include <reactor/delayed_call.hpp>
#include <reactor/detail/deferred_node.hpp>
#include <reactor/detail/deferred_steps.hpp>
#include <reactor/errors.hpp>
#include <reactor/failure.hpp>
#include <reactor/result.hpp>
#include <reactor/time_point.hpp>

#include <chrono>
#include <concepts>
#include <source_location>
#include <type_traits>
#include <utility>

namespace torsion {

class Clock;

/// Cancels the Deferred it was taken from, wherever that has been moved to. A copyable handle that keeps nothing, no
/// coroutine's frame either, and does nothing once there is a result. On the Deferred's thread.
class Canceller {
public:
    Canceller() noexcept = default;

    /// See Deferred::cancel.
    void cancel() const {
        // Those who are told may destroy this object.
        if (const detail::NodePtr node{node_.get()})
            node->cancel();
    }

private:
    template <class T>
    friend class Deferred;

    explicit Canceller(detail::DeferredNode* node) noexcept : node_(node) {}

    detail::WeakNodePtr node_;
};

namespace detail {

template <class T>
class CoroutinePromise;
template <class T>
class DeferredAwaiter;

/// The timer and the message of addTimeout.
DelayedCall cancelAfter(Clock& clock, Duration timeout, Canceller canceller);
Failure timeoutFailure(Duration timeout);

} // namespace detail

/// A result that is not there yet: a T, or nothing for void, or the Failure because of which there will be none.
///
/// Move-only, with one consumer: addCallback, addErrback, addCallbacks, addBoth and addTimeout consume the Deferred and
/// return that of their own result, `std::move(d).addCallback(f).addErrback(g)`. The steps run in order, at once when
/// the result is there, else inside Promise::callback or errback (S-155). A step may return
///  - a value, which is the result of its Deferred, or nothing,
///  - a Failure: the step failed (S-158); an empty one is success where no value is expected,
///  - a Result<U>,
///  - a Deferred<U>, whose result becomes that of the step (S-160).
/// What a step throws is its failure (S-157). Chains of any length are run, cancelled and destroyed without recursion.
///
/// A coroutine may return a Deferred<T>, and await one: `T value = co_await std::move(d);` throws where it fails. See
/// <reactor/coroutine.hpp>.
///
/// Destroying a Deferred stops nothing: the operation and the steps go on. A failure that no step has handled is logged
/// once, "Unhandled error in Deferred:" with the place of its creation, when it arrives or when the Deferred is
/// destroyed, whichever is later. Only cancel() and Canceller cancel.
///
/// A Deferred that has its result from the start holds it itself, and its steps run without any allocation; one that
/// waits takes a node from a pool of its thread, and so does each step that waits.
///
/// Owned by whoever awaits it; belongs to the thread of its reactor. Everything may be called from inside its steps.
/// After Twisted's Deferred, which several may wait for and which has no types.
/// @tparam T void, or any type that can be moved; no reference, not const, no Deferred.
template <class T>
class [[nodiscard]] Deferred {
    static_assert(detail::CheckValueType<T>::kChecked);

public:
    using ValueType = T;
    using promise_type = detail::CoroutinePromise<T>;

    /// Has succeeded already. Allocates nothing.
    static Deferred succeed(std::source_location place = std::source_location::current()) noexcept
        requires std::is_void_v<T>
    {
        return Deferred(Result<T>(), place);
    }
    template <class U = T>
        requires(!std::is_void_v<T> && std::is_convertible_v<U, detail::Stored<T>>)
    static Deferred succeed(U&& value, std::source_location place = std::source_location::current()) {
        return Deferred(std::in_place, std::forward<U>(value), place);
    }

    /// Has failed already. Allocates nothing. Throws std::invalid_argument when `failure` is empty.
    static Deferred fail(Failure failure, std::source_location place = std::source_location::current()) {
        return Deferred(Result<T>(std::move(failure)), place);
    }

    /// Has its result already, either way.
    static Deferred ready(Result<T> result, std::source_location place = std::source_location::current()) noexcept {
        return Deferred(std::move(result), place);
    }

    Deferred(Deferred&& other) noexcept
        : node_(std::move(other.node_)), ready_(std::move(other.ready_)), place_(other.place_),
          usable_(std::exchange(other.usable_, false)) {}
    Deferred& operator=(Deferred&& other) noexcept {
        if (this != &other) {
            drop();
            node_ = std::move(other.node_);
            ready_ = std::move(other.ready_);
            place_ = other.place_;
            usable_ = std::exchange(other.usable_, false);
        }
        return *this;
    }
    ~Deferred() { drop(); }

    /// Calls `callback(T)`, `callback()` for void, on success; a failure passes by. Gives a Deferred<U> for what
    /// `callback` returns.
    template <detail::CallbackFor<T> F>
    auto addCallback(F&& callback) && {
        using Fn = std::decay_t<F>;
        using U = detail::JoinedType<detail::CallbackValue<Fn, T>, detail::OnlyFails>;
        return then<U>(detail::CallbackStep<T, U, Fn>{std::forward<F>(callback)});
    }

    /// Calls `errback(const Failure&)` on failure; success passes by. The failure is handled when `errback` returns a
    /// T, or nothing: where T is not void, that drops the value of a success, too, and gives a Deferred<void>. To
    /// handle some kinds alone begin with `failure.trap<E>()`, or return the failure.
    template <detail::Errback F>
    auto addErrback(F&& errback) && {
        using Fn = std::decay_t<F>;
        using U = detail::JoinedType<T, detail::ErrbackValue<Fn>>;
        return then<U>(detail::ErrbackStep<T, U, Fn>{std::forward<F>(errback)});
    }

    /// Calls one of the two. `errback` does not hear of a failure of `callback` (S-159).
    template <detail::CallbackFor<T> F, detail::Errback G>
    auto addCallbacks(F&& callback, G&& errback) && {
        using Fn = std::decay_t<F>;
        using Gn = std::decay_t<G>;
        using U = detail::JoinedType<detail::CallbackValue<Fn, T>, detail::ErrbackValue<Gn>>;
        return then<U>(detail::CallbacksStep<T, U, Fn, Gn>{std::forward<F>(callback), std::forward<G>(errback)});
    }

    /// Calls the function in both cases. There are two kinds:
    ///  - `function(Result<T>)` takes the result; what it returns is the new one;
    ///  - `function()` and `function(const Failure*)`, with null on success, look: the result passes by unchanged,
    ///    unless the function throws, or returns a Failure or a Deferred: these take its place.
    template <class F>
        requires(detail::BothKind<std::decay_t<F>, T>::kFits)
    auto addBoth(F&& function) && {
        using Both = detail::BothOf<std::decay_t<F>, T>;
        return then<typename Both::U>(typename Both::Step{std::forward<F>(function)});
    }

    /// Cancels the Deferred when it has no result in time (S-171). If it then fails with CancelledError, that becomes a
    /// TimeoutError; whatever else it comes to stays. Steps added before see the CancelledError; the timer is cancelled
    /// when the result passes this point.
    ///
    /// @param timeout any chrono duration; throws std::invalid_argument when negative.
    /// @param clock times it, and must not be destroyed before the result is there, unless it drops its calls then.
    template <class Rep, class Period>
    Deferred addTimeout(std::chrono::duration<Rep, Period> timeout, Clock& clock) && {
        return std::move(*this).addTimeout(timeout, clock, [](Result<T> result, Duration time) -> Result<T> {
            if (result.failure().template check<CancelledError>())
                return detail::timeoutFailure(time);
            return result;
        });
    }

    /// @param onTimeoutCancel called with the result, a Result<T>, and the time-out when the timer was what cancelled;
    ///        what it returns, any of what a step may return for a T, is the result.
    template <class Rep, class Period, class F>
        requires std::is_invocable_v<std::decay_t<F>&, Result<T>, Duration>
    Deferred addTimeout(std::chrono::duration<Rep, Period> timeout, Clock& clock, F&& onTimeoutCancel) && {
        requireUsable();
        if (hasResult())
            return std::move(*this);
        const Duration time = toDuration(timeout);
        return std::move(*this).addBoth(
            [call = detail::cancelAfter(clock, time, canceller()), time, place = place_,
             onTimeoutCancel = std::decay_t<F>(std::forward<F>(onTimeoutCancel))](Result<T> result) mutable {
                if (call.called())
                    return detail::callStep<T>(place, onTimeoutCancel, std::move(result), time);
                if (call.active())
                    call.cancel();
                return Deferred::ready(std::move(result), place);
            });
    }

    /// Asks the producer to stop. Without a result yet the Deferred fails with CancelledError, through its steps as
    /// with any failure, as Promise::errback says; the producer's own canceller may bring another result instead. When
    /// a step waits for an inner Deferred, that one is cancelled (S-169); of a coroutine, what it awaits. Does nothing
    /// once there is a result.
    void cancel() {
        // The steps may destroy this object; the node is kept by the call.
        if (node_)
            detail::NodePtr(node_)->cancel();
    }

    /// A handle that cancels, for others than the consumer.
    Canceller canceller() const noexcept { return Canceller(node_.get()); }

    /// Whether the result is there.
    bool hasResult() const noexcept {
        return usable_ && (!node_ || node_->state() == detail::DeferredNode::State::Fired);
    }

    /// Where it was created: what the log says when nobody handles its failure.
    const std::source_location& place() const noexcept { return place_; }

    /// Gives the Deferred up on purpose: the end of a chain whose last step handles all failures.
    void detach() && { drop(); }

    /// Awaits the result in a coroutine: `co_await std::move(d)`, `co_await f()`. Gives the value or throws; does not
    /// suspend where the result is there.
    detail::DeferredAwaiter<T> operator co_await() && noexcept;

private:
    friend class Promise<T>;
    friend class detail::DeferredAwaiter<T>;
    friend class detail::CoroutinePromise<T>;
    template <class, class, class>
    friend class detail::StepNode;
    template <class>
    friend class Deferred;

    Deferred(detail::NodePtr node, const std::source_location& place) noexcept
        : node_(std::move(node)), ready_(detail::NoResult()), place_(place) {}
    Deferred(Result<T>&& result, const std::source_location& place) noexcept
        : ready_(std::move(result)), place_(place) {}

    template <class U>
    Deferred(std::in_place_t, U&& value, const std::source_location& place)
        : ready_(std::forward<U>(value)), place_(place) {}

    void requireUsable() const {
        if (!usable_)
            detail::throwConsumedDeferred();
    }

    template <class U, class Step>
    Deferred<U> then(Step step) {
        requireUsable();
        if (!hasResult()) {
            detail::NodePtr next(new detail::StepNode<T, U, Step>(std::move(step), place_));
            node_->attach(next);
            node_ = detail::NodePtr();
            usable_ = false;
            return Deferred<U>(std::move(next), place_);
        }
        // The result is here: no node is needed for the step.
        const std::source_location place = place_;
        return step(std::move(*this).takeResult(), place);
    }

    /// The result, which is there.
    Result<T> takeResult() && noexcept {
        usable_ = false;
        if (!node_)
            return std::move(ready_);
        const detail::NodePtr node = std::move(node_);
        return static_cast<detail::ResultNode<T>&>(*node).take();
    }

    /// The value, which is moved but once where it was there from the start, or its failure as an exception.
    T takeValue() && {
        if (node_ || !ready_.hasValue())
            return std::move(*this).takeResult().value();
        usable_ = false;
        if constexpr (!std::is_void_v<T>)
            return *std::move(ready_);
    }

    /// The node when there is no result yet, else null.
    detail::NodePtr takePending() && {
        requireUsable();
        if (hasResult())
            return {};
        usable_ = false;
        return std::move(node_);
    }

    /// The node, whether it has its result or not.
    detail::NodePtr releaseNode() noexcept {
        usable_ = false;
        return std::move(node_);
    }

    void drop() noexcept {
        if (!std::exchange(usable_, false))
            return;
        if (node_)
            detail::NodePtr(std::move(node_))->dropHandle();
        else if (!ready_.hasValue())
            detail::reportUnhandledFailure(std::move(ready_).failure(), place_);
    }

    detail::NodePtr node_; // null when it was born with its result
    Result<T> ready_;
    std::source_location place_;
    bool usable_ = true;
};

/// The producer's side of a Deferred<T>. Fired once, by callback() or errback(). Destroyed unfired, its Deferred fails
/// with BrokenPromiseError: at once, or, where steps of Deferreds are running on this thread, after these.
///
/// @code
/// torsion::Promise<int> promise;
/// torsion::Deferred<int> answer = promise.deferred();
/// promise.onCancel([this] { stopWork(); });
/// // … and later, by the producer, which keeps the promise:
/// promise.callback(42);
/// @endcode
/// Move-only; owned by the producer; on the thread of its Deferred. Its steps, and the coroutines that await it, may
/// destroy it.
template <class T>
class Promise : public detail::PromiseBase {
    static_assert(detail::CheckValueType<T>::kChecked);

public:
    /// @param place what the log calls the place of creation when a failure is not handled.
    explicit Promise(std::source_location place = std::source_location::current())
        : PromiseBase(detail::NodePtr(new detail::RootNode<T>(place))) {}

    /// The Deferred, once: a second call throws std::logic_error.
    Deferred<T> deferred() {
        detail::NodePtr node = takeDeferred();
        const std::source_location place = node->place();
        return Deferred<T>(std::move(node), place);
    }

    /// The operation has succeeded; the steps run before this returns. (Where 64 firings, each in a step of the one
    /// before, are on the stack already, they run once these have returned.) Throws AlreadyCalledError when fired
    /// before.
    /// @param place where this is called; kept with setDebugging(true).
    void callback(std::source_location place = std::source_location::current())
        requires std::is_void_v<T>
    {
        fire(Result<T>(), place);
    }
    template <class U = T>
        requires(!std::is_void_v<T> && std::is_convertible_v<U, detail::Stored<T>>)
    void callback(U&& value, std::source_location place = std::source_location::current()) {
        fire(Result<T>(std::forward<U>(value)), place);
    }

    /// callback() or errback().
    void fire(Result<T> result, std::source_location place = std::source_location::current()) {
        if (mayFire(place))
            detail::ResultNode<T>::fire(node(), std::move(result));
    }
};

/// A Deferred that has succeeded already.
template <class T>
Deferred<std::decay_t<T>> succeed(T&& value, std::source_location place = std::source_location::current()) {
    return Deferred<std::decay_t<T>>::succeed(std::forward<T>(value), place);
}
inline Deferred<void> succeed(std::source_location place = std::source_location::current()) noexcept {
    return Deferred<void>::succeed(place);
}

/// A Deferred that has failed already: `fail<int>(failure)`. Throws std::invalid_argument when `failure` is empty.
template <class T = void>
Deferred<T> fail(Failure failure, std::source_location place = std::source_location::current()) {
    return Deferred<T>::fail(std::move(failure), place);
}

namespace detail {

/// The value of the Deferred for what calling a function gives.
template <class F, class... Args>
using CalledValue = JoinedType<ValueOfReturn<std::invoke_result_t<F, Args...>>, OnlyFails>;

template <class R>
constexpr void requireNoDeferred() noexcept {
    static_assert(!kIsDeferred<std::remove_cvref_t<R>>,
                  "execute: the function returns a Deferred already; maybeDeferred takes both kinds");
}

} // namespace detail

/// Calls the function and gives what comes of it as a Deferred: what it throws is the failure, a Deferred that it
/// returns is passed on (S-175).
/// @param place what the log calls the place of creation when a failure is not handled.
template <class F>
    requires std::is_invocable_v<F&>
auto maybeDeferred(F&& function, std::source_location place = std::source_location::current()) noexcept {
    return detail::callStep<detail::CalledValue<F&>>(place, function);
}

/// The same with arguments. Nothing can tell its place of creation: the log says a line of this file. Give a lambda to
/// have that of the call.
template <class F, class First, class... Args>
    requires std::is_invocable_v<F&, First, Args...>
auto maybeDeferred(F&& function, First&& first, Args&&... args) noexcept {
    return detail::callStep<detail::CalledValue<F&, First, Args...>>(
        std::source_location::current(), function, std::forward<First>(first), std::forward<Args>(args)...);
}

/// Like maybeDeferred, for functions that return no Deferred.
template <class F>
    requires std::is_invocable_v<F&>
auto execute(F&& function, std::source_location place = std::source_location::current()) noexcept {
    detail::requireNoDeferred<std::invoke_result_t<F&>>();
    return maybeDeferred(std::forward<F>(function), place);
}
template <class F, class First, class... Args>
    requires std::is_invocable_v<F&, First, Args...>
auto execute(F&& function, First&& first, Args&&... args) noexcept {
    detail::requireNoDeferred<std::invoke_result_t<F&, First, Args...>>();
    return maybeDeferred(std::forward<F>(function), std::forward<First>(first), std::forward<Args>(args)...);
}

} // namespace torsion

#include <reactor/coroutine.hpp>
