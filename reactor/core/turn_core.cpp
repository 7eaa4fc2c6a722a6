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
    inPhase_ = inTurn_ = true;
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
    inPhase_ = false; // the time stays known until the backend waits
}

void TurnCore::afterPoll() {
    inPhase_ = true;
    if (!inbox_.empty())
        runInbox();
    runFlushes();
    runClosings();
    if (watched_) [[unlikely]]
        endWatchedTurn();
    inPhase_ = inTurn_ = false;
    timePassed();
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
    stats.timersRun += timers.runDue(now(), [this](Function<void()>& call) { guard("timed call", call); });
}

void TurnCore::runInbox() {
    for (auto& call : inbox_.takeAll())
        guard("call from a thread", call);
}

void TurnCore::runWaitingFlushes() {
    IntrusiveList<Flushable, DirtyTag> now; // what gets dirty meanwhile waits for the next flush phase
    now.takeAll(dirty_);
    while (!now.empty())
        now.popFront().onFlush();
}

void TurnCore::runWaitingClosings() {
    IntrusiveList<Closing, ClosingTag> now; // what ends meanwhile is told in the next close phase
    now.takeAll(closings_);
    while (!now.empty())
        now.popFront().onClosePhase();
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
