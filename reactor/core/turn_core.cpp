#include <reactor/core/turn_core.hpp>

#include <reactor/core/inbox.hpp>
#include <reactor/failure.hpp>
#include <reactor/log.hpp>

#include <cstdio>
#include <exception>
#include <utility>

namespace torsion::core {

void TurnCore::logEscaped(std::string_view what) noexcept {
    try {
        log::error("Exception in {}: {}", what, Failure::current().toString());
    } catch (...) { // no memory for the text
    }
}

void TurnCore::onWrongThread() noexcept {
    std::fputs("torsion: a reactor was used outside its thread (callFromThread and remote() are the way in)\n", stderr);
    std::terminate();
}

void TurnCore::beforePoll() {
    inPhase_ = true;
    runBeforePoll();
    inPhase_ = false; // the time stays known until the backend waits
}

inline void TurnCore::runBeforePoll() {
    inTurn_ = true;
    ++stats.turns;
    requested_ = false;
    timePassed();
    if (watched_) [[unlikely]]
        turnBegan_ = freshNow();
    if (timersWaiting_)
        runTimers();
    if (phasesWatched_) [[unlikely]]
        host_.betweenPhases();
    runFlushes();
    if (watched_) [[unlikely]]
        beforePollTook_ = freshNow() - turnBegan_;
}

void TurnCore::afterPoll() {
    inPhase_ = true;
    runAfterPoll();
    inPhase_ = false;
}

inline void TurnCore::runAfterPoll() {
    if (!inbox_.empty())
        runInbox();
    runFlushes();
    runClosings();
    if (watched_) [[unlikely]]
        endWatchedTurn();
    inTurn_ = false;
    timePassed();
}

// A host's loop may run inside any of the callbacks, so every phase tells the host what is to be done.
void TurnCore::beforeHostedPoll(bool nested) {
    if (nested)
        adoptUnfinished();
    runBeforePoll();
    timePassed();
}

void TurnCore::afterHostedPoll() {
    if (!posted_.empty() && inbox_.empty())
        runInbox();
    runAfterPoll();
}

// What the phases further out on the stack have not come to comes first; they find nothing left.
void TurnCore::adoptUnfinished() noexcept {
    flushing_.takeAll(dirty_);
    dirty_.takeAll(flushing_);
    ending_.takeAll(closings_);
    closings_.takeAll(ending_);
}

void TurnCore::endWatchedTurn() {
    if (phasesWatched_)
        host_.betweenPhases();
    if (slowTurn_ == Duration::zero())
        return;
    const Duration took = beforePollTook_ + (freshNow() - host_.roughNow()); // without the wait between them
    if (took > slowTurn_) {
        ++stats.slowTurns;
        log::warn("slow turn: {} ms", std::chrono::duration<double, std::milli>(took).count());
    }
}

void TurnCore::runTimers() {
    stats.timersRun += timers.runDue(now(), [this](Function<void()>& call) {
        guard("timed call", call);
        return !budgetIsSpent();
    });
}

void TurnCore::runInbox() {
    for (auto& call : inbox_.takeAll())
        posted_.push_back(std::move(call));
    for (std::size_t left = posted_.size(); left > 0 && !posted_.empty(); --left) {
        Function<void()> call = std::move(posted_.front());
        posted_.pop_front();
        guard("call from a thread", call);
        if (budgetIsSpent())
            break;
    }
}

void TurnCore::runWaitingFlushes() {
    flushing_.takeAll(dirty_); // what gets dirty meanwhile waits for the next flush phase
    while (!flushing_.empty())
        flushing_.popFront().onFlush();
}

void TurnCore::runWaitingClosings() {
    ending_.takeAll(closings_); // what ends meanwhile is told in the next close phase
    while (!ending_.empty())
        ending_.popFront().onClosePhase();
}

void TurnCore::beginLinger(Lingering& stream) {
    lingering_.pushBack(stream);
    if (++stats.lingering <= limits.lingering)
        return;
    ++stats.lingersCut;
    if (!std::exchange(lingersCut_, true)) {
        log::warn(
            "more than {} closed connections wait for their peers (ReactorLimits::lingering): the oldest are left "
            "to the kernel",
            limits.lingering);
    }
    lingering_.front().onLingerCut();
}

void TurnCore::endLinger(Lingering& stream) noexcept {
    if (!stream.linked())
        return;
    stream.unlink();
    --stats.lingering;
}

} // namespace torsion::core
