#include <reactor/clock.hpp>
#include <reactor/errors.hpp>

#include <stdexcept>

namespace torsion {

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

} // namespace torsion
