#pragma once

#include <reactor/detail/deferred_node.hpp>
#include <reactor/failure.hpp>
#include <reactor/function.hpp>

#include <concepts>
#include <functional>
#include <optional>
#include <source_location>
#include <type_traits>
#include <utility>

namespace torsion {

template <class T>
class Deferred;

template <class T>
class Promise;

/// Cancels the Deferred it was taken from, wherever that has been moved to. A copyable handle; it keeps nothing going,
/// and does nothing once there is a result.
class Canceller {
public:
    Canceller() noexcept = default;

    /// See Deferred::cancel.
    void cancel() const {
        if (node_)
            node_->cancel();
    }

private:
    template <class T>
    friend class Deferred;

    explicit Canceller(detail::NodePtr node) noexcept : node_(std::move(node)) {}

    detail::NodePtr node_;
};

namespace detail {

template <class>
inline constexpr bool kAlwaysFalse = false;

/// Calls a step's function and tells what came of it; what it throws becomes the failure.
template <class F, class... Args>
StepOutcome callStep(F& function, Args&&... args) noexcept;

/// The four kinds of steps: what they do with the failure from above, which is empty on success.
template <class F>
struct CallbackStep {
    F callback;
    StepOutcome operator()(Failure failure) noexcept {
        return failure ? StepOutcome{std::move(failure), {}} : callStep(callback);
    }
};

template <class F>
struct ErrbackStep {
    F errback;
    StepOutcome operator()(Failure failure) noexcept {
        return failure ? callStep(errback, std::as_const(failure)) : StepOutcome{};
    }
};

template <class F, class G>
struct CallbacksStep {
    F callback;
    G errback;
    StepOutcome operator()(Failure failure) noexcept {
        return failure ? callStep(errback, std::as_const(failure)) : callStep(callback);
    }
};

template <class F>
struct BothStep {
    F function;
    StepOutcome operator()(Failure failure) noexcept {
        if constexpr (std::is_invocable_v<F&, const Failure*>)
            return pass<const Failure*>(std::move(failure), failure ? &failure : nullptr);
        else
            return pass<>(std::move(failure));
    }

private:
    template <class... Args>
    StepOutcome pass(Failure&& failure, Args... args) noexcept {
        StepOutcome outcome = callStep(function, args...);
        if (std::is_void_v<std::invoke_result_t<F&, Args...>> && !outcome.failure)
            outcome.failure = std::move(failure);
        return outcome;
    }
};

/// A step that waits for its turn.
template <class Step>
class StepNode final : public DeferredNode {
public:
    StepNode(Step step, const std::source_location& place) : DeferredNode(place), step_(std::move(step)) {}

protected:
    void run(DeferredNode& above) noexcept override {
        StepOutcome outcome = (*step_)(above.takeFailure());
        // A canceller may keep the node; what the function holds goes now.
        step_.reset();
        become(std::move(outcome));
    }

private:
    std::optional<Step> step_;
};

} // namespace detail

/// A result that is not there yet, for operations that give no value: they succeed or fail.
///
/// Move-only, with one consumer: addCallback, addErrback, addCallbacks and addBoth consume the Deferred and return that
/// of their own result, `std::move(d).addCallback(f).addErrback(g)`. The steps run in order, at once when the result is
/// there, else inside Promise::callback or errback (S-155). A step may return nothing, a Failure (not empty: the step
/// failed), or a `Deferred<void>`, whose result becomes that of the step. What it throws is its failure (S-157).
/// Chains of any length are run, cancelled and destroyed without recursion.
///
/// Destroying a Deferred stops nothing: the operation and the steps go on. A failure that no step has handled is logged
/// once, "Unhandled error in Deferred:" with the place of its creation, when it arrives or when the Deferred is
/// destroyed, whichever is later. Only cancel() and Canceller cancel.
///
/// Owned by whoever awaits it; belongs to the thread of its reactor. Everything may be called from inside its steps.
/// After Twisted's Deferred, which several may wait for and which has no types.
template <>
class [[nodiscard]] Deferred<void> {
public:
    /// Has succeeded already. Allocates nothing.
    static Deferred succeed(std::source_location place = std::source_location::current()) noexcept {
        return Deferred(nullptr, place);
    }

    /// Has failed already. Throws std::invalid_argument when `failure` is empty.
    static Deferred fail(Failure failure, std::source_location place = std::source_location::current());

    Deferred(Deferred&& other) noexcept
        : node_(std::move(other.node_)), place_(other.place_), usable_(std::exchange(other.usable_, false)) {}
    Deferred& operator=(Deferred&& other) noexcept {
        if (this != &other) {
            drop();
            node_ = std::move(other.node_);
            place_ = other.place_;
            usable_ = std::exchange(other.usable_, false);
        }
        return *this;
    }
    ~Deferred() { drop(); }

    /// Calls `callback()` on success; a failure passes by.
    template <std::invocable F>
    Deferred addCallback(F&& callback) && {
        return then(detail::CallbackStep<std::decay_t<F>>{std::forward<F>(callback)});
    }

    /// Calls `errback(const Failure&)` on failure; success passes by. The failure is handled when `errback` returns
    /// nothing. To handle some kinds alone begin with `failure.trap<E>()`, or return the failure.
    template <std::invocable<const Failure&> F>
    Deferred addErrback(F&& errback) && {
        return then(detail::ErrbackStep<std::decay_t<F>>{std::forward<F>(errback)});
    }

    /// Calls one of the two. `errback` does not hear of a failure of `callback` (S-159).
    template <std::invocable F, std::invocable<const Failure&> G>
    Deferred addCallbacks(F&& callback, G&& errback) && {
        return then(detail::CallbacksStep<std::decay_t<F>, std::decay_t<G>>{std::forward<F>(callback),
                                                                            std::forward<G>(errback)});
    }

    /// Calls `function()`, or `function(const Failure*)` with null on success, in both cases. The result passes by
    /// unchanged, unless the function throws, or returns a Failure or a Deferred: these take its place.
    template <class F>
        requires(std::invocable<F&> || std::invocable<F&, const Failure*>)
    Deferred addBoth(F&& function) && {
        return then(detail::BothStep<std::decay_t<F>>{std::forward<F>(function)});
    }

    /// Asks the producer to stop. Without a result yet the Deferred fails with CancelledError, through its steps as
    /// with any failure, before this returns; the producer's own canceller may bring another result instead. When a
    /// step waits for an inner Deferred, that one is cancelled (S-169). Does nothing once there is a result.
    void cancel() {
        // The steps may destroy this object; the node is kept by the call.
        if (node_)
            detail::NodePtr(node_)->cancel();
    }

    /// A handle that cancels, for others than the consumer.
    Canceller canceller() const noexcept { return Canceller(node_); }

    /// Whether the result is there.
    bool hasResult() const noexcept {
        return usable_ && (!node_ || node_->state() == detail::DeferredNode::State::Fired);
    }

    /// Gives the Deferred up on purpose: the end of a chain whose last step handles all failures.
    void detach() && { drop(); }

private:
    friend class Promise<void>;
    template <class F, class... Args>
    friend detail::StepOutcome detail::callStep(F& function, Args&&... args) noexcept;

    Deferred(detail::NodePtr node, const std::source_location& place) noexcept
        : node_(std::move(node)), place_(place), usable_(true) {}
    Deferred(std::nullptr_t, const std::source_location& place) noexcept : place_(place), usable_(true) {}

    template <class Step>
    Deferred then(Step step) {
        if (!usable_)
            detail::throwConsumedDeferred();
        if (node_ && !hasResult()) {
            detail::NodePtr next(new detail::StepNode<Step>(std::move(step), place_));
            node_->attach(next);
            node_ = detail::NodePtr();
            usable_ = false;
            return Deferred(std::move(next), place_);
        }
        // The result is here: no node is needed for the step.
        usable_ = false;
        const detail::NodePtr node = std::move(node_);
        return fromOutcome(step(node ? node->takeFailure() : Failure()), node);
    }

    Deferred fromOutcome(detail::StepOutcome outcome, const detail::NodePtr& spent);
    detail::StepOutcome intoOutcome() &&;
    void drop() noexcept;

    detail::NodePtr node_; // null when it was born succeeded
    std::source_location place_;
    bool usable_;
};

/// The producer's side of a Deferred<void>. Fired once, by callback() or errback(). Destroyed unfired, its Deferred
/// fails with BrokenPromiseError: at once, or, where steps of Deferreds are running on this thread, after these.
///
/// @code
/// torsion::Promise<void> promise;
/// torsion::Deferred<void> done = promise.deferred();
/// promise.onCancel([this] { stopWork(); });
/// // … and later, by the producer, which keeps the promise:
/// promise.callback();
/// @endcode
/// Move-only; owned by the producer; on the thread of its Deferred.
template <>
class Promise<void> : public detail::PromiseBase {
public:
    /// @param place what the log calls the place of creation when a failure is not handled.
    explicit Promise(std::source_location place = std::source_location::current())
        : PromiseBase(detail::NodePtr(new detail::RootNode(place))) {}

    /// The Deferred, once: a second call throws std::logic_error.
    Deferred<void> deferred() {
        detail::NodePtr node = takeDeferred();
        const std::source_location place = node->place();
        return {std::move(node), place};
    }

    /// The operation has succeeded; the steps run before this returns. Throws AlreadyCalledError when fired before.
    void callback() {
        if (mayFire())
            fire(Failure());
    }
};

template <class F, class... Args>
detail::StepOutcome detail::callStep(F& function, Args&&... args) noexcept {
    using Result = std::invoke_result_t<F&, Args...>;
    try {
        if constexpr (std::is_void_v<Result>) {
            std::invoke(function, std::forward<Args>(args)...);
            return {};
        } else if constexpr (std::same_as<Result, Failure>) {
            return {std::invoke(function, std::forward<Args>(args)...), {}};
        } else {
            static_assert(std::same_as<Result, Deferred<void>>,
                          "a step of Deferred<void> returns void, Failure or Deferred<void>");
            return std::invoke(function, std::forward<Args>(args)...).intoOutcome();
        }
    } catch (...) {
        return {Failure::current(), {}};
    }
}

} // namespace torsion
