#include <reactor/core/three_phase_event.hpp>

#include <reactor/failure.hpp>
#include <reactor/log.hpp>

#include <cstddef>
#include <utility>

namespace torsion::core {

ThreePhaseEvent::~ThreePhaseEvent() {
    abandon();
}

void ThreePhaseEvent::add(TriggerId id, EventPhase phase, Trigger trigger) {
    state_->phases[static_cast<int>(phase)].push_back({id, std::move(trigger)});
}

bool ThreePhaseEvent::remove(TriggerId id) noexcept {
    for (auto& phase : state_->phases) {
        if (phase.remove_if([id](const Entry& entry) { return entry.id == id; }) != 0)
            return true;
    }
    return false;
}

void ThreePhaseEvent::fire(Function<Deferred<void>()> onDuring, Function<void()> onDone) {
    const std::shared_ptr<State> state = state_; // a trigger may destroy us
    state->onDuring = std::move(onDuring);
    state->onDone = std::move(onDone);
    ++state->fires;
    state->pending = 1;
    const std::uint64_t fire = state->fires;
    runPhase(state, EventPhase::Before);
    if (state->fires == fire)
        settled(state, fire, &during);
}

void ThreePhaseEvent::abandon() noexcept {
    ++state_->fires;
    state_->onDuring.reset();
    state_->onDone.reset();
}

void ThreePhaseEvent::clear() noexcept {
    abandon();
    for (auto& phase : state_->phases)
        std::list<Entry>().swap(phase);
}

// A trigger may add and remove others, of this phase too (S-122).
void ThreePhaseEvent::runPhase(const std::shared_ptr<State>& state, EventPhase phase) {
    auto& entries = state->phases[static_cast<int>(phase)];
    const std::uint64_t fire = state->fires;
    while (!entries.empty() && state->fires == fire) {
        Entry entry = std::move(entries.front());
        entries.pop_front();
        call(state, entry, phase == EventPhase::Before);
    }
}

void ThreePhaseEvent::call(const std::shared_ptr<State>& state, Entry& entry, bool waitFor) {
    try {
        Deferred<void> result = entry.trigger();
        if (waitFor) {
            await(state, std::move(result), &during);
        } else {
            std::move(result)
                .addErrback([name = state->name](const Failure& failure) {
                    log::error("Failure in a trigger of {}: {}", name, failure.toString());
                })
                .detach();
        }
    } catch (...) {
        log::error("Exception in a trigger of {}: {}", state->name, Failure::current().toString());
    }
}

void ThreePhaseEvent::await(const std::shared_ptr<State>& state, Deferred<void> deferred,
                            void (*then)(const std::shared_ptr<State>&)) {
    ++state->pending;
    const std::uint64_t fire = state->fires;
    std::move(deferred)
        .addErrback([name = state->name](const Failure& failure) {
            log::error("Failure in a trigger of {}: {}", name, failure.toString());
        })
        .addCallback([state, fire, then] { settled(state, fire, then); })
        .detach();
}

void ThreePhaseEvent::settled(const std::shared_ptr<State>& state, std::uint64_t fire,
                              void (*then)(const std::shared_ptr<State>&)) {
    if (state->fires == fire && --state->pending == 0)
        then(state);
}

void ThreePhaseEvent::during(const std::shared_ptr<State>& state) {
    state->pending = 1;
    const std::uint64_t fire = state->fires;
    if (Function<Deferred<void>()> own = std::move(state->onDuring))
        await(state, own(), &rest);
    settled(state, fire, &rest);
}

void ThreePhaseEvent::rest(const std::shared_ptr<State>& state) {
    const std::uint64_t fire = state->fires;
    runPhase(state, EventPhase::During);
    if (state->fires == fire)
        runPhase(state, EventPhase::After);
    if (state->fires != fire)
        return;
    if (Function<void()> done = std::move(state->onDone))
        done();
}

} // namespace torsion::core
