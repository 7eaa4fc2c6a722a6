#pragma once

namespace torsion {

class ProducerSlot;

/// Something that makes bytes for a consumer, at the consumer's pace.
///
/// A producer is owned by its user; the consumer (a Transport) only links to it. When a producer is destroyed it takes
/// itself out of every consumer that it is registered with, and a `loseConnection()` that was waiting for it goes on.
/// All functions are called on the reactor's thread.
class Producer {
public:
    Producer() = default;
    Producer(const Producer&) = delete;
    Producer& operator=(const Producer&) = delete;
    virtual ~Producer();

    /// Make bytes (again). A push producer goes on until it is paused; a pull producer makes one portion.
    /// Called from a phase of the reactor, never from inside `registerProducer` or `write` (unlike Twisted, S-13).
    virtual void resumeProducing() = 0;

    /// Make no more bytes: the consumer is gone, and has forgotten this producer already. Called exactly once for a
    /// registration, before `connectionLost` (S-18), or from inside `registerProducer` on a dead transport (S-12).
    virtual void stopProducing() = 0;

    /// Whether it will make nothing more, ever. Registering such a producer does nothing: it has unregistered itself.
    virtual bool hasEndedProducing() const noexcept { return false; }

protected:
    /// Takes this producer out of every consumer: it will make nothing more, and their closes wait no longer.
    void endProducing() noexcept {
        if (slots_)
            leaveSlots();
    }

private:
    friend class ProducerSlot;
    void leaveSlots() noexcept;

    ProducerSlot* slots_ = nullptr; // the consumers' slots that hold this producer
};

/// A producer that makes bytes on its own until it is paused: a transport, a file reader with read-ahead.
class PushProducer : public Producer {
public:
    /// Stop until `resumeProducing()`. Called once for each crossing of the high-water mark, from inside the `write`
    /// that crossed it; and when a send fails, after which nothing is resumed: `stopProducing()` follows with the loss.
    virtual void pauseProducing() = 0;
};

/// A producer that makes one portion each time it is asked: `resumeProducing()` is called whenever the consumer's
/// buffer is empty, until the producer is unregistered. It is never paused (S-14).
class PullProducer : public Producer {};

/// A consumer's end of the link to its producer. Holds at most one producer, empties itself when that is destroyed.
class ProducerSlot {
public:
    ProducerSlot() = default;
    ProducerSlot(const ProducerSlot&) = delete;
    ProducerSlot& operator=(const ProducerSlot&) = delete;

    /// Links `producer`, unless it has ended producing; the slot must be empty.
    void hold(PushProducer& producer) noexcept;
    void hold(PullProducer& producer) noexcept;

    /// Unlinks whatever is held.
    void release() noexcept;

    Producer* producer() const noexcept { return producer_; }

    /// The held producer when it is a push producer, else null.
    PushProducer* push() const noexcept { return push_; }

    explicit operator bool() const noexcept { return producer_ != nullptr; }

protected:
    virtual ~ProducerSlot() { release(); }

private:
    friend class Producer;

    /// The producer was destroyed; the slot is empty already.
    virtual void producerDestroyed() = 0;

    void link(Producer& producer, PushProducer* push) noexcept;

    Producer* producer_ = nullptr;
    PushProducer* push_ = nullptr;
    ProducerSlot* next_ = nullptr; // the producer's next slot
};

} // namespace torsion
