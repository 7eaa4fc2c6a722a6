#include <reactor/core/turn_core.hpp>

#include <reactor/core/inbox.hpp>
#include <reactor/failure.hpp>
#include <reactor/log.hpp>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <iterator>
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
    runBeforePoll<false>();
    inPhase_ = false; // the time stays known until the backend waits
}

template <bool kHosted>
inline void TurnCore::runBeforePoll() {
    inTurn_ = true;
    ++stats.turns;
    requested_ = false;
    timePassed();
    if (watched_) [[unlikely]]
        turnBegan_ = freshNow();
    if (timersWaiting_)
        runTimers<kHosted>();
    if (phasesWatched_) [[unlikely]] {
        host_.betweenPhases();
        if constexpr (kHosted)
            host_.goesOnAfterCall();
    }
    if (!dirty_.empty())
        runWaitingFlushes<kHosted>();
    if (watched_) [[unlikely]]
        beforePollTook_ = freshNow() - turnBegan_;
}

void TurnCore::afterPoll() {
    inPhase_ = true;
    if (!inbox_.empty())
        runInbox();
    runAfterPoll<false>();
    inPhase_ = false;
}

template <bool kHosted>
inline void TurnCore::runAfterPoll() {
    if (!dirty_.empty())
        runWaitingFlushes<kHosted>();
    if (!closings_.empty())
        runWaitingClosings<kHosted>();
    if (watched_) [[unlikely]]
        endWatchedTurn();
    inTurn_ = false;
    timePassed();
}

// A host's loop may run inside any of the callbacks, so every phase tells the host what is to be done.
void TurnCore::beforeHostedPoll() {
    adoptUnfinished();
    runBeforePoll<true>();
    timePassed();
}

void TurnCore::afterHostedPoll() {
    if (!inbox_.empty())
        posted_.append(inbox_.takeAll());
    runPosted();
    runAfterPoll<true>();
}

// Phases further out on the stack find nothing left.
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

template <bool kHosted>
void TurnCore::runTimers() {
    stats.timersRun += timers.runDue(now(), [this](Function<void()>& call) {
        guard("timed call", call);
        return !kHosted || host_.goesOnAfterCall();
    });
}

void TurnCore::runInbox() {
    for (Function<void()>& call : inbox_.takeAll())
        guard("call from a thread", call);
}

void TurnCore::Posted::append(std::vector<Function<void()>>&& calls) {
    if (empty()) {
        calls_ = std::move(calls);
    } else {
        calls_.erase(calls_.begin(), calls_.begin() + static_cast<std::ptrdiff_t>(next_));
        std::move(calls.begin(), calls.end(), std::back_inserter(calls_));
    }
    next_ = 0;
}

// A host's loop inside of a call may have made the others.
void TurnCore::runPosted() {
    for (std::size_t left = posted_.size(); left > 0 && !posted_.empty(); --left) {
        Function<void()> call = posted_.takeFirst();
        guard("call from a thread", call);
        if (!host_.goesOnAfterCall())
            break;
    }
}

template <bool kHosted>
void TurnCore::runWaitingFlushes() {
    flushing_.takeAll(dirty_); // what gets dirty meanwhile waits for the next flush phase
    while (!flushing_.empty()) {
        flushing_.popFront().onFlush();
        if (kHosted && !host_.goesOnAfterCall())
            break;
    }
}

template <bool kHosted>
void TurnCore::runWaitingClosings() {
    ending_.takeAll(closings_); // what ends meanwhile is told in the next close phase
    while (!ending_.empty()) {
        ending_.popFront().onClosePhase();
        if (kHosted && !host_.goesOnAfterCall())
            break;
    }
}

template void TurnCore::runWaitingFlushes<false>();
template void TurnCore::runWaitingClosings<false>();

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
