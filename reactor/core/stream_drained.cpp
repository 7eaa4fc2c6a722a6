// Who waits for the output of a stream to be gone.

#include <reactor/core/stream_call.hpp>
#include <reactor/core/stream_core.hpp>

#include <algorithm>
#include <utility>

namespace torsion::core {

Deferred<void> StreamCore::drained(std::source_location place) {
    flush();
    if (phase_ == Phase::Lost)
        return Deferred<void>::fail(reason_, place);
    if (output_ == Output::Broken)
        return Deferred<void>::fail(rare().outputError, place);
    if (!hasOutput())
        return Deferred<void>::succeed(place);
    std::vector<Promise<void>>& waiting = rare().drained;
    std::erase_if(waiting, [](const Promise<void>& each) { return each.isFired(); }); // cancelled
    waiting.emplace_back(place);
    return waiting.back().deferred();
}

// In the flush phase. What is written by those who are told first is not waited for by the others.
void StreamCore::tellDrained() {
    if (!drainAwaited() || phase_ == Phase::Lost || hasOutput())
        return;
    const Failure broken = output_ == Output::Broken ? rare_->outputError : Failure();
    std::vector<Promise<void>> waiting = std::exchange(rare_->drained, {});
    call([&] {
        for (Promise<void>& each : waiting) {
            if (broken) {
                each.errback(broken);
            } else {
                each.callback();
            }
        }
    });
}

// In the close phase.
void StreamCore::failDrained() noexcept {
    if (!drainAwaited())
        return;
    std::vector<Promise<void>> waiting = std::exchange(rare_->drained, {});
    for (Promise<void>& each : waiting)
        each.errback(reason_);
}

} // namespace torsion::core
