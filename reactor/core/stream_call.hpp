#pragma once

// The frame around every callback of a stream, for the three files of StreamCore; nobody else includes it.

#include <reactor/core/stream_core.hpp>

namespace torsion::core {

// Debug builds: whoever uses a connection is on its reactor's thread.
inline void StreamCore::checkThread() const noexcept {
#ifndef NDEBUG
    if (!turn_.isOnThread())
        TurnCore::onWrongThread();
#endif
}

// A callback inside another stream's callback (a nested loop of an embedding host): what that one wrote leaves first.
inline StreamCore::CallScope::CallScope(StreamCore& stream) noexcept
    : stream_(stream), outer_(stream.turn_.cork.owner), nested_(stream.inCall_) {
    if (outer_ && outer_ != &stream) [[unlikely]]
        outer_->sendCork();
    stream.turn_.cork.owner = &stream;
    stream.inCall_ = true;
}

inline StreamCore::CallScope::~CallScope() {
    if (outer_ == &stream_)
        return;
    Cork& cork = stream_.turn_.cork;
    if (cork.size() != 0)
        stream_.sendCork();
    cork.owner = outer_;
    stream_.inCall_ = nested_;
}

/// Runs `f` as a callback of this stream: corked, counted, and with what it throws attributed to the connection.
template <class F>
void StreamCore::call(F&& f) noexcept {
    ++turn_.stats.callbacks;
    {
        CallScope scope(*this);
        try {
            f();
        } catch (...) {
            callFailed();
        }
    }
    if (afterCall_ && !inCall_) [[unlikely]]
        afterCall();
}

} // namespace torsion::core
