#pragma once

#include <reactor/deferred.hpp>
#include <reactor/failure.hpp>
#include <reactor/result.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <source_location>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace torsion::detail {

Failure firstError(Failure subFailure, std::size_t index);
Failure failureGroup(std::vector<Failure> failures);

template <class T>
using GatheredElement = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

/// What several inputs and the one Deferred that stands for them have in common. The inputs that wait own the group
/// together; it owns the promise.
template <class R>
class GroupBase {
public:
    GroupBase(std::size_t size, const std::source_location& place) : promise_(place), place_(place), remaining_(size) {
        cancellers_.reserve(size);
    }
    virtual ~GroupBase() = default;
    GroupBase(const GroupBase&) = delete;
    GroupBase& operator=(const GroupBase&) = delete;

    void addInput(Canceller canceller) { cancellers_.push_back(std::move(canceller)); }

    /// The Deferred that stands for all.
    static Deferred<R> start(const std::shared_ptr<GroupBase>& group) {
        group->promise_.onCancel([weak = std::weak_ptr(group)] {
            // The inputs let go of the group while they are cancelled.
            if (const std::shared_ptr<GroupBase> self = weak.lock())
                self->cancelInputs(Phase::Cancelled);
        });
        return group->promise_.deferred();
    }

protected:
    enum class Phase : std::uint8_t {
        Waiting,
        Fired,    ///< the inputs go on, their failures are logged
        Won,      ///< one input was enough, and what the others come to is dropped
        Cancelled ///< as Fired, but for CancelledError
    };

    std::size_t remaining() const noexcept { return remaining_; }

    void fire(Result<R> result) {
        if (phase_ == Phase::Waiting)
            phase_ = Phase::Fired;
        cancellers_.clear();
        if (!promise_.isFired()) // an input may cancel the group when it is itself cancelled
            promise_.fire(std::move(result));
    }

    /// The last first: who waits in a line shall have left it before the one who holds what it waits for lets go.
    void cancelInputs(Phase phase) {
        phase_ = phase;
        std::vector<Canceller> cancellers = std::exchange(cancellers_, {});
        while (!cancellers.empty()) {
            const Canceller last = std::move(cancellers.back());
            cancellers.pop_back();
            last.cancel();
        }
    }

    /// Whether the result of an input is of use still; its failure is logged where it should be.
    template <class T>
    bool wants(Result<T>& result) {
        if (phase_ == Phase::Waiting) {
            --remaining_;
            return true;
        }
        if (phase_ == Phase::Fired ||
            (phase_ == Phase::Cancelled && !result.failure().template check<CancelledError>()))
            reportUnhandledFailure(result.failure(), place_);
        return false;
    }

private:
    Promise<R> promise_;
    std::source_location place_;
    std::vector<Canceller> cancellers_;
    std::size_t remaining_;
    Phase phase_ = Phase::Waiting;
};

/// Inputs of one type.
template <class T, class R>
class DeferredGroup : public GroupBase<R> {
public:
    DeferredGroup(std::size_t size, const std::source_location& place) : GroupBase<R>(size, place) {
        results_.reserve(size);
        for (std::size_t i = 0; i < size; ++i)
            results_.emplace_back(NoResult());
    }

    void receive(std::size_t index, Result<T>&& result) {
        if (!this->wants(result))
            return;
        results_[index] = std::move(result);
        arrived(index);
    }

protected:
    /// One more result is here.
    virtual void arrived(std::size_t index) = 0;

    Result<T>& result(std::size_t index) { return results_[index]; }
    std::vector<Result<T>> takeResults() { return std::move(results_); }

private:
    std::vector<Result<T>> results_;
};

/// @param inputs by reference: whoever calls tells the group their number in the same expression.
template <class T, class Group>
auto startGroup(const std::shared_ptr<Group>& group, std::vector<Deferred<T>>&& inputs) {
    auto deferred = Group::start(group);
    for (const Deferred<T>& input : inputs)
        group->addInput(input.canceller());
    for (std::size_t i = 0; i < inputs.size(); ++i)
        std::move(inputs[i]).addBoth([group, i](Result<T> result) { group->receive(i, std::move(result)); }).detach();
    return deferred;
}

template <class... T>
using GatheredTuple = std::tuple<GatheredElement<T>...>;
template <class... T>
using FirstVariant = std::variant<GatheredElement<T>...>;

/// Inputs of different types, all of whose values are wanted.
template <class... T>
class TupleGroup final : public GroupBase<GatheredTuple<T...>> {
    using Values = GatheredTuple<T...>;

public:
    explicit TupleGroup(const std::source_location& place) : GroupBase<Values>(sizeof...(T), place) {}

    template <std::size_t I, class V>
    void receive(Result<V>&& result) {
        if (!this->wants(result))
            return;
        if (!result.hasValue()) {
            this->fire(firstError(std::move(result).failure(), I));
            return;
        }
        if constexpr (std::is_void_v<V>)
            std::get<I>(values_).emplace();
        else
            std::get<I>(values_).emplace(*std::move(result));
        if (this->remaining() == 0)
            this->fire(std::apply([](auto&... value) { return Values(std::move(*value)...); }, values_));
    }

private:
    std::tuple<std::optional<GatheredElement<T>>...> values_;
};

/// Inputs of different types, of which the first value is wanted.
template <class... T>
class VariantGroup final : public GroupBase<FirstVariant<T...>> {
    using Value = FirstVariant<T...>;

public:
    explicit VariantGroup(const std::source_location& place)
        : GroupBase<Value>(sizeof...(T), place), failures_(sizeof...(T)) {}

    template <std::size_t I, class V>
    void receive(Result<V>&& result) {
        if (!this->wants(result))
            return;
        if (!result.hasValue()) {
            failures_[I] = std::move(result).failure();
            if (this->remaining() == 0)
                this->fire(failureGroup(std::move(failures_)));
            return;
        }
        this->cancelInputs(GroupBase<Value>::Phase::Won);
        if constexpr (std::is_void_v<V>)
            this->fire(Value(std::in_place_index<I>));
        else
            this->fire(Value(std::in_place_index<I>, *std::move(result)));
    }

private:
    std::vector<Failure> failures_;
};

/// For a TupleGroup or a VariantGroup; the first of them gives the place.
template <class Group, class... T>
auto startMixed(Deferred<T>... inputs) {
    const auto group = std::make_shared<Group>(std::get<0>(std::tie(inputs...)).place());
    auto deferred = Group::start(group);
    (group->addInput(inputs.canceller()), ...);
    [&]<std::size_t... I>(std::index_sequence<I...>) {
        (std::move(inputs)
             .addBoth([group](Result<T> result) { group->template receive<I>(std::move(result)); })
             .detach(),
         ...);
    }(std::index_sequence_for<T...>());
    return deferred;
}

} // namespace torsion::detail
