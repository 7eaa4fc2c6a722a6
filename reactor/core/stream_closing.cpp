// The ways a stream ends, of which there is one set for every transport.

#include <reactor/core/stream_call.hpp>
#include <reactor/core/stream_core.hpp>
#include <reactor/core/stream_options.hpp>
#include <reactor/errors.hpp>
#include <reactor/factory.hpp>
#include <reactor/log.hpp>
#include <reactor/protocol.hpp>

#include <algorithm>
#include <utility>

namespace torsion::core {

void StreamCore::loseConnection() {
    checkThread();
    if (phase_ != Phase::Open)
        return;
    if (output_ == Output::Broken)
        return finish(rare().outputError, CloseMode::Orderly);
    phase_ = Phase::Draining;
    plain_ = false;
    if (!reading_)
        updateReading();
    endProducing(); // what comes in is discarded: two that close, each other's producers, must not wait for each other
    turn_.markDirty(*this);
}

void StreamCore::loseWriteConnection() {
    checkThread();
    if (phase_ != Phase::Open || output_ != Output::Open)
        return;
    output_ = Output::Ending;
    tellWriteLost_ = true;
    plain_ = false;
    turn_.markDirty(*this);
}

void StreamCore::abortConnection() {
    abortConnection(Failure::of<ConnectionAborted>());
}

void StreamCore::abortConnection(const Failure& reason) {
    checkThread();
    finish(reason, CloseMode::Reset);
}

// What a close waits for: the output to be gone, and the producer to have unregistered.
void StreamCore::advanceClosing() {
    if (phase_ == Phase::Lost || phase_ == Phase::Lingering)
        return;
    const bool ending = phase_ == Phase::Draining || output_ == Output::Ending;
    if (!ending) {
        if (inputEnded_ && output_ == Output::Ended)
            finish(Failure::of<ConnectionDone>(), CloseMode::Orderly);
        return;
    }
    if (hasOutput() || producer()) {
        if (phase_ == Phase::Draining && hasOutput())
            awaitOutput();
        return;
    }
    endOutput();
}

// Everything is sent: FIN.
void StreamCore::endOutput() {
    if (phase_ == Phase::Draining && inputEnded_)
        return finish(Failure::of<ConnectionDone>(), CloseMode::Orderly);
    if (output_ != Output::Ended)
        channel_->shutdownWrite();
    output_ = Output::Ended;
    if (phase_ == Phase::Draining)
        return beginLingering();
    if (std::exchange(tellWriteLost_, false))
        call([this] { protocol_->writeConnectionLost(); });
    if (phase_ == Phase::Open && inputEnded_)
        finish(Failure::of<ConnectionDone>(), CloseMode::Orderly);
}

// Input is discarded until the peer has closed too: closing a socket with unread input would reset the connection, and
// the peer would lose the end of what we sent (S-31).
void StreamCore::beginLingering() {
    phase_ = Phase::Lingering;
    turn_.beginLinger(*this);
    if (phase_ == Phase::Lost)
        return; // cut at once
    rare().closing = turn_.now();
    rare().closeTimer = {}; // the drain's
    armCloseTimer(std::min(close_.quiet, close_.total));
}

void StreamCore::armCloseTimer(Duration delay) {
    Rare& state = rare();
    if (state.closeTimer.active())
        return;
    state.progress = turn_.now();
    state.closeTimer = turn_.callLater(delay, [this] { closeTimerFired(); });
}

// The peer has to take what is queued: some of it now and then, and all of it in the end.
void StreamCore::awaitOutput() {
    Rare& state = rare();
    if (state.closing == TimePoint{})
        state.closing = turn_.now();
    armCloseTimer(std::min(close_.stalled, close_.drain));
}

void StreamCore::noteProgress() {
    if (phase_ != Phase::Open && rare_)
        rare_->progress = turn_.now();
}

void StreamCore::closeTimerFired() {
    const TimePoint now = turn_.now();
    Rare& state = *rare_;
    const bool lingering = phase_ == Phase::Lingering;
    const TimePoint total = state.closing + (lingering ? close_.total : close_.drain);
    const TimePoint due = state.progress + (lingering ? close_.quiet : close_.stalled);
    if (phase_ == Phase::Draining && !hasOutput())
        return; // waits for a producer, not for the peer
    if (now < due && now < total) {
        state.closeTimer = turn_.callLater(std::min(due, total) - now, [this] { closeTimerFired(); });
        return;
    }
    if (!lingering)
        return finish(Failure::of<ConnectionAborted>(), CloseMode::Reset);
    if (now >= total)
        return finish(Failure::of<ConnectionDone>(), CloseMode::Orderly);
    if (channel_->unacknowledged() == 0)
        return finish(Failure::of<ConnectionDone>(), CloseMode::Orderly);
    state.progress = now; // the peer still reads what we sent
    state.closeTimer = turn_.callLater(std::min(Duration(close_.quiet), total - now), [this] { closeTimerFired(); });
}

// All was sent, so the kernel goes on delivering it without us.
void StreamCore::onLingerCut() {
    finish(Failure::of<ConnectionDone>(), CloseMode::Orderly);
}

// The only way into Lost. Nothing is told here: that is the close phase's.
void StreamCore::finish(Failure reason, CloseMode mode) {
    if (phase_ == Phase::Lost) {
        if (mode == CloseMode::Reset && closeMode_ == CloseMode::Orderly && Closing::linked()) { // abort wins
            reason_ = std::move(reason);
            closeMode_ = mode;
        }
        return;
    }
    if (phase_ == Phase::Lingering)
        turn_.endLinger(*this);
    Flushable::unlink();
    phase_ = Phase::Lost;
    reason_ = std::move(reason);
    closeMode_ = mode;
    if (rare_) {
        rare_->closeTimer = {};
        rare_->retry = {};
        rare_->input.clear();
    }
    discardOutput();
    plain_ = false;
    stopReading();
    turn_.close(*this);
}

// The reactor ends: one last non-blocking send; a reset only if bytes remain.
void StreamCore::onShutdown() {
    if (phase_ == Phase::Lost)
        return;
    const bool lingered = phase_ == Phase::Lingering;
    producerPaused_ = true; // if this send fails: it is stopped right after
    if (!lingered)
        flush();
    if (phase_ == Phase::Lost)
        return;
    const bool remains = hasOutput();
    if (!remains)
        discardInput();
    finish(lingered ? Failure::of<ConnectionDone>() : Failure::of<ConnectionLost>(),
           remains ? CloseMode::Reset : CloseMode::Orderly);
}

// Closing a socket with unread input resets the connection, and takes from the peer what it has not received yet
// (S-31): what has come so far is read, after a FIN that asks for no more.
void StreamCore::discardInput() {
    constexpr std::size_t kEnough = 4 * 1024 * 1024; // somebody who never stops sending is not waited for
    if (!inputEnded_ && output_ != Output::Ended && output_ != Output::Broken)
        channel_->shutdownWrite();
    for (std::size_t read = 0; !inputEnded_ && read < kEnough;) {
        const ReceiveResult result = channel_->receive();
        if (result.kind != ReceiveResult::Kind::Data)
            return;
        read += result.data.size();
    }
}

void StreamCore::setCloseLimits(const CloseLimits& limits) {
    checkThread();
    checkCloseLimits(limits);
    close_ = limits;
}

// The order is S-34's: the producer, the socket (and who waits for it), the protocol, then whoever made the connection.
void StreamCore::onClosePhase() {
    if (inCall_) { // a nested loop inside one of our callbacks: told when that has returned
        afterCall_ = true;
        return;
    }
    if (Producer* source = producer()) {
        release();
        turn_.guard("stopProducing", [source] { source->stopProducing(); });
    }
    channel_->end(closeMode_);
    failDrained();
    ++turn_.stats.connectionsLost;
    --turn_.stats.connections;
    ++turn_.stats.callbacks;
    try {
        protocol_->connectionLost(reason_);
    } catch (...) {
        callFailed();
    }
    protocol_->transport = &Transport::null();
    protocol_->factory = nullptr;
    if (owner_)
        owner_->onStreamLost(*this, reason_);
    delete this;
}

} // namespace torsion::core
