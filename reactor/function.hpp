#pragma once

#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace torsion {

template <class Signature>
class Function;

template <class Signature>
class CallableRef;

namespace detail {

/// std::invoke_r of C++23: the result is dropped where R is void.
template <class R, class F, class... Args>
R invokeAs(F&& callable, Args&&... args) {
    if constexpr (std::is_void_v<R>)
        static_cast<void>(std::invoke(callable, std::forward<Args>(args)...));
    else
        return std::invoke(callable, std::forward<Args>(args)...);
}

template <class R, class... Args>
struct FunctionOps {
    R (*call)(void* storage, Args... args);
    void (*relocate)(void* from, void* to) noexcept;
    void (*destroy)(void* storage) noexcept;
};

/// How a callable is kept in the storage of a Function: the object itself.
template <class F, class R, class... Args>
struct InlineCallable {
    static R call(void* storage, Args... args) {
        return detail::invokeAs<R>(*static_cast<F*>(storage), std::forward<Args>(args)...);
    }
    static void relocate(void* from, void* to) noexcept {
        ::new (to) F(std::move(*static_cast<F*>(from)));
        static_cast<F*>(from)->~F();
    }
    static void destroy(void* storage) noexcept { static_cast<F*>(storage)->~F(); }

    static constexpr FunctionOps<R, Args...> kOps{&call, &relocate, &destroy};
};

/// How a callable is kept in the storage of a Function: a pointer to an object on the heap.
template <class F, class R, class... Args>
struct HeapCallable {
    static R call(void* storage, Args... args) {
        return detail::invokeAs<R>(**static_cast<F**>(storage), std::forward<Args>(args)...);
    }
    static void relocate(void* from, void* to) noexcept { ::new (to) F*(*static_cast<F**>(from)); }
    static void destroy(void* storage) noexcept { delete *static_cast<F**>(storage); }

    static constexpr FunctionOps<R, Args...> kOps{&call, &relocate, &destroy};
};

template <class F>
constexpr bool isNullCallable(const F& callable) {
    if constexpr (std::is_pointer_v<F> || std::is_member_pointer_v<F>)
        return callable == nullptr;
    else
        return false;
}

[[noreturn]] void throwEmptyFunction();

} // namespace detail

/// A callable that is owned and can be moved but not copied. It replaces std::function where callbacks are stored:
/// callables of up to kInlineSize bytes that move without throwing lie inside of it and cost no allocation; others lie
/// on the heap.
///
/// Owned by whoever holds it; not synchronised. A callable must not destroy or assign the Function it is called
/// through: move it into a local variable first.
template <class R, class... Args>
class Function<R(Args...)> {
public:
    /// Bytes for callables stored in place.
    static constexpr std::size_t kInlineSize = 48;

    /// Whether callables of type F are stored in place.
    template <class F>
    static constexpr bool kStoredInline =
        sizeof(F) <= kInlineSize && alignof(F) <= alignof(void*) && std::is_nothrow_move_constructible_v<F>;

    Function() noexcept = default;
    Function(std::nullptr_t) noexcept {}

    /// Keeps `callable` (moved or copied in). A null function pointer gives an empty Function.
    template <class F>
        requires(!std::same_as<std::remove_cvref_t<F>, Function> && std::is_invocable_r_v<R, std::decay_t<F>&, Args...>)
    Function(F&& callable) {
        using Stored = std::decay_t<F>;
        if (detail::isNullCallable<Stored>(callable))
            return;
        if constexpr (kStoredInline<Stored>) {
            ::new (static_cast<void*>(storage_)) Stored(std::forward<F>(callable));
            ops_ = &detail::InlineCallable<Stored, R, Args...>::kOps;
        } else {
            ::new (static_cast<void*>(storage_)) Stored*(new Stored(std::forward<F>(callable)));
            ops_ = &detail::HeapCallable<Stored, R, Args...>::kOps;
        }
    }

    Function(Function&& other) noexcept { take(other); }
    Function& operator=(Function&& other) noexcept {
        if (this != &other) {
            reset();
            take(other);
        }
        return *this;
    }
    Function& operator=(std::nullptr_t) noexcept {
        reset();
        return *this;
    }
    ~Function() { reset(); }

    Function(const Function&) = delete;
    Function& operator=(const Function&) = delete;

    /// Calls the callable. Throws what it throws, and std::bad_function_call when there is none.
    R operator()(Args... args) {
        if (ops_ == nullptr) [[unlikely]]
            detail::throwEmptyFunction();
        return ops_->call(storage_, std::forward<Args>(args)...);
    }

    explicit operator bool() const noexcept { return ops_ != nullptr; }

    /// Destroys the callable, if any. The Function is empty already while the callable's destructor runs.
    void reset() noexcept {
        if (ops_ != nullptr)
            std::exchange(ops_, nullptr)->destroy(storage_);
    }

private:
    void take(Function& other) noexcept {
        if (other.ops_ == nullptr)
            return;
        other.ops_->relocate(other.storage_, storage_);
        ops_ = std::exchange(other.ops_, nullptr);
    }

    // Only as aligned as a pointer: callables with more go to the heap, and a Function is 56 bytes instead of 64.
    alignas(void*) std::byte storage_[kInlineSize];
    const detail::FunctionOps<R, Args...>* ops_ = nullptr;
};

namespace detail {

template <class R, class... Args>
struct CallableRefOps {
    R (*call)(const void* object, Args... args);
    Function<R(Args...)> (*copy)(const void* object);
};

template <class F, class R, class... Args>
struct ReferencedCallable {
    static F& object(const void* object) noexcept { return *static_cast<F*>(const_cast<void*>(object)); }
    static R call(const void* callable, Args... args) {
        return detail::invokeAs<R>(object(callable), std::forward<Args>(args)...);
    }
    static Function<R(Args...)> copy(const void* callable) {
        return Function<R(Args...)>(std::remove_const_t<F>(object(callable)));
    }

    static constexpr CallableRefOps<R, Args...> kOps{&call, &copy};
};

/// A pointer to a function is kept itself: where it is written as a function's name, no object would outlive the
/// constructor.
template <class Pointer, class R, class... Args>
struct ReferencedFunction {
    static Pointer pointer(const void* object) noexcept { return reinterpret_cast<Pointer>(const_cast<void*>(object)); }
    static R call(const void* object, Args... args) {
        return detail::invokeAs<R>(pointer(object), std::forward<Args>(args)...);
    }
    static Function<R(Args...)> copy(const void* object) { return Function<R(Args...)>(pointer(object)); }

    static constexpr CallableRefOps<R, Args...> kOps{&call, &copy};
};

} // namespace detail

/// A reference to a callable that somebody else keeps alive; null by default. It is trivially destructible, which is
/// why aggregates of options have it instead of Function. A lambda written into the aggregate lives until the end of
/// the full expression, that is until the called function has returned; a callee that calls it later keeps
/// `toFunction()`.
template <class R, class... Args>
class CallableRef<R(Args...)> {
public:
    constexpr CallableRef() noexcept = default;
    constexpr CallableRef(std::nullptr_t) noexcept {}

    /// Refers to `callable`, which is not copied now but must be copyable for toFunction().
    template <class F>
        requires(!std::same_as<std::remove_cvref_t<F>, CallableRef> && std::is_class_v<std::remove_reference_t<F>> &&
                 std::is_invocable_r_v<R, std::remove_reference_t<F>&, Args...> &&
                 std::copy_constructible<std::remove_cvref_t<F>>)
    CallableRef(F&& callable) noexcept
        : object_(std::addressof(callable)),
          ops_(&detail::ReferencedCallable<std::remove_reference_t<F>, R, Args...>::kOps) {}

    /// Refers to a function; a null pointer gives a null reference.
    template <class Result, class... Parameters>
        requires std::is_invocable_r_v<R, Result (*)(Parameters...), Args...>
    CallableRef(Result (*function)(Parameters...)) noexcept {
        if (function != nullptr) {
            object_ = reinterpret_cast<const void*>(function);
            ops_ = &detail::ReferencedFunction<Result (*)(Parameters...), R, Args...>::kOps;
        }
    }

    /// Calls the callable. Throws what it throws, and std::bad_function_call when there is none.
    R operator()(Args... args) const {
        if (ops_ == nullptr) [[unlikely]]
            detail::throwEmptyFunction();
        return ops_->call(object_, std::forward<Args>(args)...);
    }

    /// A copy of the callable that its owner can keep; empty when there is none.
    [[nodiscard]] Function<R(Args...)> toFunction() const {
        return ops_ == nullptr ? Function<R(Args...)>() : ops_->copy(object_);
    }

    constexpr explicit operator bool() const noexcept { return ops_ != nullptr; }

private:
    const void* object_ = nullptr;
    const detail::CallableRefOps<R, Args...>* ops_ = nullptr;
};

} // namespace torsion
