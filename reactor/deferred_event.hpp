#pragma once

#include <reactor/deferred.hpp>
#include <reactor/detail/waiters.hpp>

#include <concepts>
#include <cstddef>
#include <memory>
#include <optional>
#include <source_location>
#include <type_traits>
#include <utility>

namespace torsion {

/// A flag that any number of operations may wait for.
///
/// Owned by whoever made it; on one thread. May be destroyed at any time, in the steps of its own Deferreds as well:
/// those who wait then fail with BrokenPromiseError.
class DeferredEvent {
public:
    DeferredEvent();
    DeferredEvent(const DeferredEvent&) = delete;
    DeferredEvent& operator=(const DeferredEvent&) = delete;
    ~DeferredEvent();

    /// Fires when the event is set: at once when it is. Cancelling it leaves the others waiting.
    Deferred<void> wait(std::source_location place = std::source_location::current());

    /// Sets the event; those who wait go on, in the order in which they came, before this returns. One of them may
    /// clear it again; the others go on all the same.
    void set();

    /// From now on, wait() waits.
    void clear() noexcept;

    bool isSet() const noexcept;
    std::size_t waiting() const noexcept;

private:
    struct State {
        bool set = false;
        detail::Waiters<void> waiters;
    };

    std::shared_ptr<State> state_;
};

/// The result of one Deferred for any number of consumers: copyable, each copy names the same result. What share()
/// returns.
///
/// A failure that nobody has asked for is logged as unhandled when the last copy is gone. On one thread.
template <class T>
    requires(std::is_void_v<T> || std::copy_constructible<T>)
class SharedDeferred {
public:
    /// A Deferred of a copy of the result; they fire in the order in which they were asked for. What copying throws is
    /// the failure of that one alone, and cancelling one fails that one alone.
    Deferred<T> get(std::source_location place = std::source_location::current()) const {
        state_->asked = true;
        if (state_->result)
            return Deferred<T>::ready(state_->copy(), place);
        return state_->waiters.add(place);
    }

    /// Cancels what everybody waits for.
    void cancel() const {
        const std::shared_ptr<State> state = state_; // a step may destroy this object
        state->source.cancel();
    }

    bool hasResult() const noexcept { return state_->result.has_value(); }

private:
    template <class U>
    friend SharedDeferred<U> share(Deferred<U> deferred, std::source_location place);

    struct State {
        std::optional<Result<T>> result;
        detail::Waiters<T> waiters;
        Canceller source;
        std::source_location place;
        bool asked = false;

        /// Of the result, which is there.
        Result<T> copy() const noexcept {
            try {
                return *result;
            } catch (...) {
                return Failure::current();
            }
        }

        ~State() {
            if (result && !asked)
                detail::reportUnhandledFailure(result->failure(), place);
        }
    };

    SharedDeferred(Deferred<T> deferred, const std::source_location& place) : state_(std::make_shared<State>()) {
        state_->place = place;
        state_->source = deferred.canceller();
        std::move(deferred)
            .addBoth([state = state_](Result<T> result) {
                state->result.emplace(std::move(result));
                while (!state->waiters.empty())
                    state->waiters.takeFirst().fire(state->copy());
            })
            .detach();
    }

    std::shared_ptr<State> state_;
};

/// Lets several wait for one Deferred, each with `shared.get()`.
template <class T>
SharedDeferred<T> share(Deferred<T> deferred, std::source_location place = std::source_location::current()) {
    return SharedDeferred<T>(std::move(deferred), place);
}

} // namespace torsion
