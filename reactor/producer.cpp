#include <reactor/producer.hpp>

namespace torsion {

Producer::~Producer() {
    endProducing();
}

void Producer::leaveSlots() noexcept {
    while (slots_) {
        ProducerSlot& slot = *slots_;
        slot.release();
        slot.producerDestroyed();
    }
}

void ProducerSlot::link(Producer& producer, PushProducer* push) noexcept {
    if (producer.hasEndedProducing())
        return;
    producer_ = &producer;
    push_ = push;
    next_ = producer.slots_;
    producer.slots_ = this;
}

void ProducerSlot::hold(PushProducer& producer) noexcept {
    link(producer, &producer);
}

void ProducerSlot::hold(PullProducer& producer) noexcept {
    link(producer, nullptr);
}

void ProducerSlot::release() noexcept {
    if (!producer_)
        return;
    ProducerSlot** link = &producer_->slots_;
    while (*link != this)
        link = &(*link)->next_;
    *link = next_;
    producer_ = nullptr;
    push_ = nullptr;
    next_ = nullptr;
}

} // namespace torsion
