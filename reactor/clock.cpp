#include <reactor/clock.hpp>
#include <reactor/errors.hpp>

#include <optional>
#include <stdexcept>
#include <utility>

namespace torsion {

namespace {

class SleepPromise : public Promise<void> {
public:
    using Promise::node;
    using Promise::Promise;
};

/// Called, it ends a sleep; destroyed uncalled, because the call was cancelled or the clock is gone, it cancels it.
class Awakening {
public:
    explicit Awakening(SleepPromise promise) noexcept : promise_(std::move(promise)) {}
    Awakening(Awakening&& other) noexcept : promise_(std::move(other.promise_)) { other.promise_.reset(); }
    Awakening& operator=(Awakening&&) = delete;
    ~Awakening() {
        if (promise_ && !promise_->isFired())
            promise_->errback(Failure::of<CancelledError>());
    }

    void operator()() {
        // The sleeper may destroy the clock, and with it this object.
        SleepPromise promise = std::move(*promise_);
        promise_.reset();
        promise.callback();
    }

private:
    std::optional<SleepPromise> promise_;
};

} // namespace

using detail::DelayedCallNode;
using detail::DelayedCallState;

DelayedCallNode& DelayedCall::pending() const {
    DelayedCallNode* node = call_.get();
    if (node == nullptr)
        throw AlreadyCancelled("This DelayedCall names no call.");
    if (node->state == DelayedCallState::Called)
        throw AlreadyCalled();
    if (node->state == DelayedCallState::Cancelled)
        throw AlreadyCancelled();
    return *node;
}

void DelayedCall::cancel() {
    DelayedCallNode& node = pending();
    node.owner->cancel(node);
}

void DelayedCall::resetFromNow(Duration fromNow) {
    DelayedCallNode& node = pending();
    if (fromNow < Duration::zero())
        throw std::invalid_argument("DelayedCall::reset: the time is negative");
    node.owner->resetFromNow(node, fromNow);
}

void DelayedCall::delayBy(Duration span) {
    DelayedCallNode& node = pending();
    node.owner->resetTo(node, node.due + span);
}

void ScopedCall::cancel() noexcept {
    // Taken out first: the callable may own this object.
    DelayedCall call = std::exchange(call_, DelayedCall());
    if (call.active())
        call.cancel();
}

DelayedCall Clock::scheduleChecked(Duration delay, Function<void()>&& call) {
    if (delay < Duration::zero())
        throw std::invalid_argument("callLater: the delay is negative");
    if (!call)
        throw std::invalid_argument("callLater: there is nothing to call");
    return schedule(delay, std::move(call));
}

Deferred<void> Clock::sleepFor(Duration delay, const std::source_location& place) {
    if (delay < Duration::zero())
        throw std::invalid_argument("sleep: the time is negative");
    SleepPromise promise(place);
    const detail::NodePtr sleeper = promise.node();
    Deferred<void> deferred = promise.deferred();
    DelayedCall call = callLater(delay, Awakening(std::move(promise)));
    sleeper->root()->canceller = [call]() mutable {
        if (call.active())
            call.cancel();
    };
    return deferred;
}

} // namespace torsion
