#pragma once

#include <reactor/clock.hpp>
#include <reactor/deferred.hpp>

#include <memory>
#include <type_traits>
#include <utility>

/// What TaskScope, LoopingCall and Cooperator have in common.
namespace torsion::detail {

/// The same result without its value.
template <class T>
Deferred<void> withoutValue(Deferred<T> deferred) {
    if constexpr (std::is_void_v<T>)
        return deferred;
    else
        return std::move(deferred).addCallback([](T&&) {});
}

/// Calls a function and gives what comes of it, without its value: what it throws is the failure.
template <class F, class... Args>
Deferred<void> callWithoutValue(F& function, Args&&... args) {
    return withoutValue(maybeDeferred(function, std::forward<Args>(args)...));
}

/// What a helper schedules on a clock: calls its owner's tick(), or its tickDropped() when the call is dropped
/// uncalled, because it was cancelled or because the clock is gone.
template <class Owner>
class Tick {
public:
    explicit Tick(std::shared_ptr<Owner> owner) noexcept : owner_(std::move(owner)) {}
    Tick(Tick&&) noexcept = default;
    Tick& operator=(Tick&&) = delete;
    ~Tick() {
        if (owner_)
            owner_->tickDropped();
    }

    void operator()() {
        const std::shared_ptr<Owner> owner = std::move(owner_);
        owner->tick();
    }

private:
    std::shared_ptr<Owner> owner_;
};

} // namespace torsion::detail
