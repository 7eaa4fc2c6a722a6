#pragma once

#include <reactor/detail/deferred_node.hpp>
#include <reactor/failure.hpp>
#include <reactor/result.hpp>

#include <concepts>
#include <functional>
#include <optional>
#include <source_location>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace torsion::detail {

// --- What a function given to a Deferred comes to ---------------------------------------------------------------

/// In place of a type: the function returns a Failure, and says nothing about the value.
struct OnlyFails {};

template <class R>
struct ValueOf {
    using Type = std::remove_cv_t<R>;
};
template <>
struct ValueOf<Failure> {
    using Type = OnlyFails;
};
template <class T>
struct ValueOf<Result<T>> {
    using Type = T;
};
template <class T>
struct ValueOf<Deferred<T>> {
    using Type = T;
};

/// The T of the Deferred<T> for a function that returns an R: a value, a Result, a Deferred or a Failure.
template <class R>
using ValueOfReturn = typename ValueOf<std::conditional_t<std::is_reference_v<R>, std::remove_cvref_t<R>, R>>::Type;

template <class>
inline constexpr bool kAlwaysFalse = false;

/// The common type of two ways that a chain may go: nothing where one gives none.
template <class A, class B>
auto joined() {
    if constexpr (std::same_as<A, B>) {
        return std::type_identity<std::conditional_t<std::same_as<A, OnlyFails>, void, A>>();
    } else if constexpr (std::same_as<A, OnlyFails>) {
        return std::type_identity<B>();
    } else if constexpr (std::same_as<B, OnlyFails>) {
        return std::type_identity<A>();
    } else if constexpr (std::is_void_v<A> || std::is_void_v<B>) {
        return std::type_identity<void>();
    } else {
        static_assert(std::is_convertible_v<B, A>,
                      "both ways must come to one type: let the errback return a T, a Failure, a Result<T> or a "
                      "Deferred<T>, or nothing, which drops the value");
        return std::type_identity<A>();
    }
}
template <class A, class B>
using JoinedType = typename decltype(joined<A, B>())::type;

// --- Calling functions with results -----------------------------------------------------------------------------

template <class F, class T>
struct TakesValue : std::is_invocable<F&, T> {};
template <class F>
struct TakesValue<F, void> : std::is_invocable<F&> {};

/// Whether F can be called with the value of a Deferred<T>; without arguments for void.
template <class F, class T>
concept CallbackFor = TakesValue<std::decay_t<F>, T>::value;

template <class F>
concept Errback = std::is_invocable_v<std::decay_t<F>&, const Failure&>;

template <class F, class T>
struct CallbackReturn {
    using Type = std::invoke_result_t<F&, T>;
};
template <class F>
struct CallbackReturn<F, void> {
    using Type = std::invoke_result_t<F&>;
};

template <class F, class T>
using CallbackValue = ValueOfReturn<typename CallbackReturn<F, T>::Type>;
template <class F>
using ErrbackValue = ValueOfReturn<std::invoke_result_t<F&, const Failure&>>;

/// Makes a Deferred<U> of what a function has returned.
template <class U, class R>
Deferred<U> toDeferred(R&& returned, const std::source_location& place) {
    using Returned = std::remove_cvref_t<R>;
    if constexpr (std::same_as<Returned, Deferred<U>>) {
        return std::move(returned);
    } else if constexpr (kIsDeferred<Returned>) {
        using V = ValueOfReturn<Returned>;
        if constexpr (std::is_void_v<U>)
            return std::move(returned).addCallback([](V&&) {});
        else
            return std::move(returned).addCallback([](V&& value) -> U { return std::move(value); });
    } else if constexpr (std::same_as<Returned, Failure>) {
        if (returned)
            return Deferred<U>::ready(Result<U>(std::forward<R>(returned)), place);
        if constexpr (std::is_void_v<U>)
            return Deferred<U>::ready(Result<U>(), place);
        else
            throw std::logic_error("a callback that should come to a value returned an empty Failure");
    } else if constexpr (std::same_as<Returned, Result<U>>) {
        return Deferred<U>::ready(Result<U>(std::forward<R>(returned)), place);
    } else if constexpr (kIsResult<Returned>) {
        if (!returned.hasValue())
            return Deferred<U>::ready(Result<U>(returned.failure()), place);
        if constexpr (std::is_void_v<U>)
            return Deferred<U>::ready(Result<U>(), place);
        else
            return Deferred<U>::ready(Result<U>(*std::forward<R>(returned)), place);
    } else if constexpr (std::is_void_v<U>) {
        return Deferred<U>::ready(Result<U>(), place);
    } else {
        return Deferred<U>::ready(Result<U>(std::forward<R>(returned)), place);
    }
}

/// Calls a function; what it throws becomes the failure.
template <class U, class F, class... Args>
Deferred<U> callStep(const std::source_location& place, F& function, Args&&... args) noexcept {
    try {
        if constexpr (std::is_void_v<std::invoke_result_t<F&, Args...>>) {
            std::invoke(function, std::forward<Args>(args)...);
            return Deferred<U>::ready(Result<U>(), place);
        } else {
            return toDeferred<U>(std::invoke(function, std::forward<Args>(args)...), place);
        }
    } catch (...) {
        return Deferred<U>::ready(Result<U>(Failure::current()), place);
    }
}

template <class U, class F, class T>
Deferred<U> callWithValue(const std::source_location& place, F& function, Result<T>&& result) noexcept {
    if constexpr (std::is_void_v<T>)
        return callStep<U>(place, function);
    else
        return callStep<U>(place, function, *std::move(result));
}

template <class U, class T>
Deferred<U> passValue(const std::source_location& place, Result<T>&& result) noexcept {
    if constexpr (std::same_as<T, U>) {
        return Deferred<U>::ready(std::move(result), place);
    } else {
        try {
            return toDeferred<U>(std::move(result), place);
        } catch (...) {
            return Deferred<U>::ready(Result<U>(Failure::current()), place);
        }
    }
}

template <class U, class T>
Deferred<U> passFailure(const std::source_location& place, Result<T>&& result) noexcept {
    return Deferred<U>::ready(Result<U>(std::move(result).failure()), place);
}

// --- The kinds of steps: what they make of the result from above -------------------------------------------------

template <class T, class U, class F>
struct CallbackStep {
    F callback;
    Deferred<U> operator()(Result<T>&& result, const std::source_location& place) noexcept {
        return result.hasValue() ? callWithValue<U>(place, callback, std::move(result))
                                 : passFailure<U>(place, std::move(result));
    }
};

template <class T, class U, class F>
struct ErrbackStep {
    F errback;
    Deferred<U> operator()(Result<T>&& result, const std::source_location& place) noexcept {
        return result.hasValue() ? passValue<U>(place, std::move(result))
                                 : callStep<U>(place, errback, result.failure());
    }
};

template <class T, class U, class F, class G>
struct CallbacksStep {
    F callback;
    G errback;
    Deferred<U> operator()(Result<T>&& result, const std::source_location& place) noexcept {
        return result.hasValue() ? callWithValue<U>(place, callback, std::move(result))
                                 : callStep<U>(place, errback, result.failure());
    }
};

/// Gives the whole result to the function.
template <class T, class U, class F>
struct ResultStep {
    F function;
    Deferred<U> operator()(Result<T>&& result, const std::source_location& place) noexcept {
        return callStep<U>(place, function, std::move(result));
    }
};

/// Shows the failure to the function, or nothing; the result passes by, unless the function has another.
template <class T, class U, class F>
struct LookStep {
    static constexpr bool kSeesFailure = std::is_invocable_v<F&, const Failure*>;

    F function;
    Deferred<U> operator()(Result<T>&& result, const std::source_location& place) noexcept {
        if constexpr (kSeesFailure)
            return look(std::move(result), place, result.hasValue() ? nullptr : &result.failure());
        else
            return look(std::move(result), place);
    }

private:
    template <class... Args>
    Deferred<U> look(Result<T>&& result, const std::source_location& place, const Args... args) noexcept {
        using R = std::invoke_result_t<F&, Args...>;
        if constexpr (std::is_void_v<R> || std::same_as<R, Failure>) {
            try {
                if constexpr (std::is_void_v<R>) {
                    std::invoke(function, args...);
                } else if (Failure own = std::invoke(function, args...)) {
                    return Deferred<U>::ready(Result<U>(std::move(own)), place);
                }
            } catch (...) {
                return Deferred<U>::ready(Result<U>(Failure::current()), place);
            }
            return Deferred<U>::ready(std::move(result), place);
        } else {
            return callStep<U>(place, function, args...);
        }
    }
};

/// The kinds of functions that addBoth takes.
template <class F, class T>
struct BothKind {
    static constexpr bool kSeesFailure = std::is_invocable_v<F&, const Failure*>;
    static constexpr bool kSeesNothing = std::is_invocable_v<F&>;
    static constexpr bool kTakesResult = !kSeesFailure && !kSeesNothing && std::is_invocable_v<F&, Result<T>>;
    static constexpr bool kFits = kSeesFailure || kSeesNothing || kTakesResult;
};

/// The value after addBoth: R is what the function returns.
template <class R, class T, bool TakesResult>
using BothValueOf = std::conditional_t<
    TakesResult, JoinedType<ValueOfReturn<R>, OnlyFails>,
    std::conditional_t<std::is_void_v<R> || std::same_as<R, Failure>, T, JoinedType<ValueOfReturn<R>, OnlyFails>>>;

template <class F, class T>
auto bothValue() {
    using Kind = BothKind<F, T>;
    if constexpr (Kind::kSeesFailure)
        return std::type_identity<BothValueOf<std::invoke_result_t<F&, const Failure*>, T, false>>();
    else if constexpr (Kind::kSeesNothing)
        return std::type_identity<BothValueOf<std::invoke_result_t<F&>, T, false>>();
    else
        return std::type_identity<BothValueOf<std::invoke_result_t<F&, Result<T>>, T, true>>();
}

/// What addBoth makes of a function for a Deferred<T>.
template <class F, class T>
struct BothOf {
    using U = typename decltype(bothValue<F, T>())::type;
    using Step = std::conditional_t<BothKind<F, T>::kTakesResult, ResultStep<T, U, F>, LookStep<T, U, F>>;
};

/// A step that waits for its turn.
template <class T, class U, class Step>
class StepNode final : public ResultNode<U> {
public:
    StepNode(Step step, const std::source_location& place) : ResultNode<U>(place), step_(std::move(step)) {}

protected:
    void run(NodePtr above) noexcept override {
        Result<T> result = static_cast<ResultNode<T>&>(*above).take();
        above = NodePtr();
        Deferred<U> outcome = (*step_)(std::move(result), this->place());
        // The Deferred may keep the node; what the function holds goes now.
        step_.reset();
        if (NodePtr inner = std::move(outcome).takePending())
            this->waitFor(std::move(inner));
        else
            this->store(std::move(outcome).takeResult());
    }

private:
    std::optional<Step> step_;
};

} // namespace torsion::detail
