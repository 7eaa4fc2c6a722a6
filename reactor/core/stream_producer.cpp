// Who writes into a stream as quickly as it takes: pausing and resuming by the water marks, and its coming and going.

#include <reactor/core/stream_call.hpp>
#include <reactor/core/stream_core.hpp>
#include <reactor/errors.hpp>

#include <spdlog/fmt/fmt.h>

namespace torsion::core {

// Pauses a push producer that is above high water, resumes it at low water, and asks a pull producer when nothing
// waits.
void StreamCore::serveProducer() {
    if (!producer() || phase_ == Phase::Lost || output_ == Output::Broken)
        return;
    if (!push()) {
        if (bufferedBytes() == 0)
            call([this] { producer()->resumeProducing(); }); // asked again once what it writes is gone
        return;
    }
    if (!producerPaused_)
        return checkHighWater();
    if (bufferedBytes() > limits_.low)
        return;
    producerPaused_ = false; // before the call: a write inside may pause it again (S-17)
    call([this] { producer()->resumeProducing(); });
}

void StreamCore::registerProducer(PushProducer& newProducer) {
    if (!adoptsProducer(newProducer))
        return;
    hold(newProducer);
    adopted();
}

void StreamCore::registerProducer(PullProducer& newProducer) {
    if (!adoptsProducer(newProducer))
        return;
    hold(newProducer);
    adopted();
}

// False: nothing can be written any more, and the producer was stopped (S-12); a host's loop may have run in there, and
// this stream be gone.
bool StreamCore::adoptsProducer(Producer& newProducer) {
    checkThread();
    if (producer())
        throw ProducerAlreadyRegistered(fmt::format("{} has a producer already", describe()));
    if (phase_ == Phase::Open && output_ == Output::Open)
        return true;
    newProducer.stopProducing();
    return false;
}

// The flush phase pauses a push producer, when much is buffered already, and asks a pull producer for the first time.
void StreamCore::adopted() {
    if (!producer())
        return;
    producerPaused_ = false;
    updateWritable();
    turn_.markDirty(*this);
}

void StreamCore::unregisterProducer() {
    checkThread();
    if (!producer())
        return;
    release();
    producerDestroyed();
}

// Also after unregisterProducer: a close that waited for it goes on (S-20).
void StreamCore::producerDestroyed() {
    producerPaused_ = false;
    if (phase_ == Phase::Lost)
        return;
    updateWritable();
    turn_.markDirty(*this);
}

void StreamCore::pausePush() {
    if (!push() || producerPaused_)
        return;
    producerPaused_ = true;
    updateWritable();
    const HoldScope held(*this);
    try {
        push()->pauseProducing();
    } catch (...) {
        callFailed();
    }
}

} // namespace torsion::core
