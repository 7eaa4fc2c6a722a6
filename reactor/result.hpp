#pragma once

#include <reactor/failure.hpp>

#include <concepts>
#include <optional>
#include <type_traits>
#include <utility>

namespace torsion {

template <class T>
class Deferred;

template <class T>
class Promise;

template <class T>
class Result;

namespace detail {

/// Stands for the value of an operation that gives none.
struct Unit {};

template <class>
inline constexpr bool kIsDeferred = false;
template <class T>
inline constexpr bool kIsDeferred<Deferred<T>> = true;

template <class>
inline constexpr bool kIsResult = false;
template <class T>
inline constexpr bool kIsResult<Result<T>> = true;

/// Whether T can be the type of a result.
template <class T>
inline constexpr bool kIsValueType =
    std::is_void_v<T> ||
    (std::is_object_v<T> && std::is_move_constructible_v<T> && !std::is_array_v<T> && !std::is_const_v<T> &&
     !std::is_volatile_v<T> && !kIsDeferred<T> && !kIsResult<T> && !std::same_as<T, Failure>);

/// Says what is wrong with a type of result.
template <class T>
struct CheckValueType {
    static_assert(!std::is_reference_v<T>,
                  "Deferred<T&>: a result cannot be a reference; use a pointer or std::reference_wrapper");
    static_assert(!std::is_const_v<T> && !std::is_volatile_v<T>,
                  "Deferred<const T>: a result is moved; leave out const");
    static_assert(!kIsDeferred<T>, "Deferred<Deferred<T>>: a callback may return a Deferred<T>, which is waited for");
    static_assert(!kIsResult<T> && !std::same_as<T, Failure>, "Deferred<T> may fail as it is: T is the value alone");
    static_assert(std::is_reference_v<T> || std::is_const_v<T> || kIsDeferred<T> || kIsResult<T> || kIsValueType<T>,
                  "Deferred<T>: T must be void or an object that can be moved");
    static constexpr bool kChecked = true;
};

/// What is kept of a T. (Refused types are kept as nothing, so that the message above stands alone.)
template <class T>
using Stored = std::conditional_t<std::is_void_v<T> || !kIsValueType<T>, Unit, T>;

struct NoResult {};

[[noreturn]] void throwEmptyFailure();

} // namespace detail

/// What an operation came to: a value, or the Failure because of which there is none. For T = void there is nothing but
/// success.
///
/// Owned by whoever holds it. T's move constructor must not throw: the program ends if it does.
template <class T>
class [[nodiscard]] Result {
    static_assert(detail::CheckValueType<T>::kChecked);
    using Stored = detail::Stored<T>;

public:
    using ValueType = T;

    /// Success, for results without a value.
    Result() noexcept
        requires std::is_void_v<T>
        : value_(std::in_place) {}

    /// Success with a value.
    template <class U = T>
        requires(!std::is_void_v<T> && !std::same_as<std::remove_cvref_t<U>, Result> &&
                 !std::same_as<std::remove_cvref_t<U>, Failure> && std::is_convertible_v<U, Stored>)
    Result(U&& value) : value_(std::in_place, std::forward<U>(value)) {}

    /// No success. Throws std::invalid_argument when `failure` is empty.
    Result(Failure failure) : failure_(std::move(failure)) {
        if (!failure_)
            detail::throwEmptyFailure();
    }

    Result(const Result&) = default;
    Result& operator=(const Result&) = default;
    Result(Result&&) noexcept = default;
    Result& operator=(Result&& other) noexcept {
        if (this != &other) {
            // Not by assignment, which T may not have.
            value_.reset();
            if (other.value_)
                value_.emplace(std::move(*other.value_));
            failure_ = std::move(other.failure_);
        }
        return *this;
    }
    /// Throws std::invalid_argument when `failure` is empty.
    Result& operator=(Failure failure) {
        if (!failure)
            detail::throwEmptyFailure();
        value_.reset();
        failure_ = std::move(failure);
        return *this;
    }
    ~Result() = default;

    /// Whether it is a success.
    bool hasValue() const noexcept { return value_.has_value(); }
    explicit operator bool() const noexcept { return hasValue(); }

    /// The value; raises the failure when there is none.
    std::add_lvalue_reference_t<T> value() & {
        requireValue();
        if constexpr (!std::is_void_v<T>)
            return *value_;
    }
    std::add_lvalue_reference_t<const T> value() const& {
        requireValue();
        if constexpr (!std::is_void_v<T>)
            return *value_;
    }
    T value() && {
        requireValue();
        if constexpr (!std::is_void_v<T>)
            return std::move(*value_);
    }

    /// The value, which is there.
    Stored& operator*() & noexcept
        requires(!std::is_void_v<T>)
    {
        return *value_;
    }
    const Stored& operator*() const& noexcept
        requires(!std::is_void_v<T>)
    {
        return *value_;
    }
    Stored&& operator*() && noexcept
        requires(!std::is_void_v<T>)
    {
        return std::move(*value_);
    }
    Stored* operator->() noexcept
        requires(!std::is_void_v<T>)
    {
        return &*value_;
    }
    const Stored* operator->() const noexcept
        requires(!std::is_void_v<T>)
    {
        return &*value_;
    }

    /// The value, or `other` where there is none.
    template <class U>
        requires(!std::is_void_v<T>)
    T valueOr(U&& other) && {
        return value_ ? std::move(*value_) : static_cast<T>(std::forward<U>(other));
    }

    /// Why there is no value; empty when there is one.
    const Failure& failure() const& noexcept { return failure_; }
    Failure failure() && noexcept { return std::exchange(failure_, Failure()); }

    /// Neither value nor failure: for the library, which fills it later.
    explicit Result(detail::NoResult) noexcept {}

private:
    void requireValue() const {
        if (!value_)
            failure_.raise();
    }

    std::optional<Stored> value_;
    Failure failure_;
};

} // namespace torsion
