#include <reactor/deferred_event.hpp>

#include <cstdint>

namespace torsion {

DeferredEvent::DeferredEvent() : state_(std::make_shared<State>()) {}

DeferredEvent::~DeferredEvent() {
    const std::shared_ptr<State> state = state_;
    state->waiters.clear();
}

Deferred<void> DeferredEvent::wait(std::source_location place) {
    return state_->set ? Deferred<void>::succeed(place) : state_->waiters.add(place);
}

void DeferredEvent::set() {
    const std::shared_ptr<State> state = state_; // a step may destroy this object
    state->set = true;
    const std::uint64_t last = state->waiters.lastNumber();
    while (!state->waiters.empty() && state->waiters.firstNumber() <= last)
        state->waiters.takeFirst().callback();
}

void DeferredEvent::clear() noexcept {
    state_->set = false;
}

bool DeferredEvent::isSet() const noexcept {
    return state_->set;
}

std::size_t DeferredEvent::waiting() const noexcept {
    return state_->waiters.size();
}

} // namespace torsion
