#include <reactor/deferred.hpp>

#include <stdexcept>

namespace torsion {

Deferred<void> Deferred<void>::fail(Failure failure, std::source_location place) {
    if (!failure)
        throw std::invalid_argument("Deferred::fail: the Failure is empty");
    return {detail::NodePtr(new detail::FiredNode(std::move(failure), place)), place};
}

Deferred<void> Deferred<void>::fromOutcome(detail::StepOutcome outcome, const detail::NodePtr& spent) {
    if (outcome.inner)
        return {std::move(outcome.inner), place_};
    if (!outcome.failure)
        return succeed(place_);
    if (!spent)
        return fail(std::move(outcome.failure), place_);
    spent->refill(std::move(outcome.failure));
    return {spent, place_};
}

detail::StepOutcome Deferred<void>::intoOutcome() && {
    if (!usable_)
        detail::throwConsumedDeferred();
    usable_ = false;
    const detail::NodePtr node = std::move(node_);
    if (!node)
        return {};
    if (node->state() == detail::DeferredNode::State::Fired)
        return {node->takeFailure(), {}};
    return {{}, node};
}

void Deferred<void>::drop() noexcept {
    usable_ = false;
    if (const detail::NodePtr node = std::move(node_))
        node->dropHandle();
}

} // namespace torsion
