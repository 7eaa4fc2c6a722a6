#pragma once

#include <reactor/deferred.hpp>
#include <reactor/detail/deferred_group.hpp>
#include <reactor/errors.hpp>
#include <reactor/failure.hpp>
#include <reactor/result.hpp>

#include <concepts>
#include <cstddef>
#include <memory>
#include <source_location>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

/// Several Deferreds at once: deferredList() for what all of them come to, gatherResults() for the values of all or the
/// first failure, race() for the first value.
///
/// All take the Deferreds over. Cancelling the result cancels every input, the last first, and fails with
/// CancelledError (S-173); once there is a result it does nothing. A failure that comes later than the result is logged
/// as unhandled, but for those of inputs that were cancelled with it.

namespace torsion {

/// One of several Deferreds failed, and the others were not waited for. Its cause() is the failure.
class FirstError : public ErrorClass<FirstError, Error> {
public:
    using ErrorClass::ErrorClass;
    static const ErrorKind kKind;

    FirstError(Failure subFailure, std::size_t index);

    /// The failure itself, and the number of the Deferred, counted from 0.
    const Failure& subFailure() const noexcept { return subFailure_; }
    std::size_t index() const noexcept { return index_; }

private:
    Failure subFailure_;
    std::size_t index_ = 0;
};

/// All of several Deferreds failed.
class FailureGroup : public ErrorClass<FailureGroup, Error> {
public:
    using ErrorClass::ErrorClass;
    static const ErrorKind kKind;

    explicit FailureGroup(std::vector<Failure> failures);

    /// In the order of the Deferreds.
    const std::vector<Failure>& failures() const noexcept { return failures_; }

private:
    std::vector<Failure> failures_;
};

/// The value of one of several Deferreds, and which it was, counted from 0.
template <class T>
struct Indexed {
    std::size_t index;
    T value;
};
template <>
struct Indexed<void> {
    std::size_t index;
};

/// Flags of deferredList(), after those of Twisted's DeferredList. The inputs' errors are always consumed.
struct DeferredListOptions {
    /// Fail with FirstError when the first input fails, without waiting for the others; these go on.
    bool fireOnOneErrback = false;
};

/// The other flag, which gives another type.
struct FireOnOneCallback {
    /// Or the first failure, as FirstError.
    bool orErrback = false;
};
static_assert(std::is_trivially_destructible_v<DeferredListOptions> &&
              std::is_trivially_destructible_v<FireOnOneCallback>);

namespace detail {

template <class T>
using GatheredVector = std::conditional_t<std::is_void_v<T>, void, std::vector<Stored<T>>>;
template <class T>
Result<GatheredVector<T>> noValues() {
    if constexpr (std::is_void_v<T>)
        return {};
    else
        return std::vector<T>();
}

/// Waits for all.
template <class T>
class ListGroup final : public DeferredGroup<T, std::vector<Result<T>>> {
public:
    ListGroup(std::size_t size, bool fireOnOneErrback, const std::source_location& place)
        : DeferredGroup<T, std::vector<Result<T>>>(size, place), fireOnOneErrback_(fireOnOneErrback) {}

protected:
    void arrived(std::size_t index) override {
        if (fireOnOneErrback_ && !this->result(index).hasValue())
            this->fire(firstError(this->result(index).failure(), index));
        else if (this->remaining() == 0)
            this->fire(this->takeResults());
    }

private:
    bool fireOnOneErrback_;
};

template <class T>
class GatherGroup final : public DeferredGroup<T, GatheredVector<T>> {
public:
    using DeferredGroup<T, GatheredVector<T>>::DeferredGroup;

protected:
    void arrived(std::size_t index) override {
        if (!this->result(index).hasValue()) {
            this->fire(firstError(this->result(index).failure(), index));
        } else if (this->remaining() == 0) {
            if constexpr (std::is_void_v<T>) {
                this->fire(Result<void>());
            } else {
                std::vector<T> values;
                for (Result<T>& result : this->takeResults())
                    values.push_back(*std::move(result));
                this->fire(std::move(values));
            }
        }
    }
};

/// Waits for the first value.
template <class T>
class FirstGroup final : public DeferredGroup<T, Indexed<T>> {
public:
    FirstGroup(std::size_t size, bool fireOnOneErrback, bool cancelOthers, const std::source_location& place)
        : DeferredGroup<T, Indexed<T>>(size, place), fireOnOneErrback_(fireOnOneErrback), cancelOthers_(cancelOthers) {}

protected:
    void arrived(std::size_t index) override {
        Result<T>& result = this->result(index);
        if (result.hasValue()) {
            if (cancelOthers_)
                this->cancelInputs(DeferredGroup<T, Indexed<T>>::Phase::Won);
            if constexpr (std::is_void_v<T>)
                this->fire(Indexed<T>{index});
            else
                this->fire(Indexed<T>{index, *std::move(result)});
        } else if (fireOnOneErrback_) {
            this->fire(firstError(result.failure(), index));
        } else if (this->remaining() == 0) {
            this->fire(allFailures());
        }
    }

private:
    Failure allFailures() {
        std::vector<Failure> failures;
        for (Result<T>& result : this->takeResults())
            failures.push_back(result.failure());
        return failureGroup(std::move(failures));
    }

    bool fireOnOneErrback_;
    bool cancelOthers_;
};

} // namespace detail

/// What all of them came to, in their order: the Deferred fires when the last has, at once for none (S-172).
template <class T>
Deferred<std::vector<Result<T>>> deferredList(std::vector<Deferred<T>> inputs, DeferredListOptions options = {},
                                              std::source_location place = std::source_location::current()) {
    if (inputs.empty())
        return Deferred<std::vector<Result<T>>>::ready(std::vector<Result<T>>(), place);
    return detail::startGroup(std::make_shared<detail::ListGroup<T>>(inputs.size(), options.fireOnOneErrback, place),
                              std::move(inputs));
}

/// `deferredList(inputs, FireOnOneCallback{})`: the first value, without waiting for the others, which go on. Fails
/// with FailureGroup when all fail, and so at once for none. (Twisted's then fires with the list, or never.)
template <class T>
Deferred<Indexed<T>> deferredList(std::vector<Deferred<T>> inputs, FireOnOneCallback options,
                                  std::source_location place = std::source_location::current()) {
    if (inputs.empty())
        return Deferred<Indexed<T>>::fail(detail::failureGroup({}), place);
    return detail::startGroup(std::make_shared<detail::FirstGroup<T>>(inputs.size(), options.orErrback, false, place),
                              std::move(inputs));
}

/// The values of all, in their order. Fails with FirstError when the first of them fails; the others go on.
template <class T>
Deferred<detail::GatheredVector<T>> gatherResults(std::vector<Deferred<T>> inputs,
                                                  std::source_location place = std::source_location::current()) {
    if (inputs.empty())
        return Deferred<detail::GatheredVector<T>>::ready(detail::noValues<T>(), place);
    return detail::startGroup(std::make_shared<detail::GatherGroup<T>>(inputs.size(), place), std::move(inputs));
}

/// The values of Deferreds of different types as a tuple; std::monostate stands for void. Its place of creation is that
/// of the first.
template <class First, class... More>
Deferred<detail::GatheredTuple<First, More...>> gatherResults(Deferred<First> first, Deferred<More>... more) {
    return detail::startMixed<detail::TupleGroup<First, More...>>(std::move(first), std::move(more)...);
}

/// The first value; the others are cancelled, and what they come to is dropped. Fails with FailureGroup when all fail
/// (S-174), and so at once for none. (Twisted's then never fires.)
template <class T>
Deferred<Indexed<T>> race(std::vector<Deferred<T>> inputs,
                          std::source_location place = std::source_location::current()) {
    if (inputs.empty())
        return Deferred<Indexed<T>>::fail(detail::failureGroup({}), place);
    return detail::startGroup(std::make_shared<detail::FirstGroup<T>>(inputs.size(), false, true, place),
                              std::move(inputs));
}

/// The same. Its place of creation is that of the first.
template <class T, std::same_as<Deferred<T>>... More>
Deferred<Indexed<T>> race(Deferred<T> first, More... more) {
    const std::source_location place = first.place();
    std::vector<Deferred<T>> inputs;
    inputs.reserve(1 + sizeof...(more));
    inputs.push_back(std::move(first));
    (inputs.push_back(std::move(more)), ...);
    return race(std::move(inputs), place);
}

/// The same for Deferreds of different types, two of which may be of one: the index() of the variant says which was the
/// first. std::monostate stands for void.
/// @code
/// auto first = torsion::race(std::move(answer), reactor.sleep(5s)); // Deferred<std::variant<Answer, std::monostate>>
/// @endcode
template <class First, class... More>
    requires(!std::same_as<First, More> || ...)
Deferred<detail::FirstVariant<First, More...>> race(Deferred<First> first, Deferred<More>... more) {
    return detail::startMixed<detail::VariantGroup<First, More...>>(std::move(first), std::move(more)...);
}

} // namespace torsion
