#include <doctest/doctest.h>

#include <reactor/producer.hpp>

#include <memory>
#include <optional>

using namespace torsion;

namespace {

struct Push final : PushProducer {
    int calls = 0;
    void resumeProducing() override { ++calls; }
    void pauseProducing() override { ++calls; }
    void stopProducing() override { ++calls; }
};

struct Pull final : PullProducer {
    int calls = 0;
    void resumeProducing() override { ++calls; }
    void stopProducing() override { ++calls; }
};

/// Counts the producers that were destroyed in it.
struct Slot final : ProducerSlot {
    int destroyed = 0;

private:
    void producerDestroyed() override {
        ++destroyed;
        CHECK_FALSE(*this); // it is empty already
    }
};

} // namespace

TEST_CASE("a slot says what it holds, and whether that is a push producer") {
    Push push;
    Pull pull;
    Slot slot;
    CHECK_FALSE(slot);
    CHECK(slot.producer() == nullptr);
    slot.hold(push);
    CHECK(slot.producer() == &push);
    CHECK(slot.push() == &push);
    slot.release();
    slot.hold(pull);
    CHECK(slot.producer() == &pull);
    CHECK(slot.push() == nullptr);
}

TEST_CASE("releasing says nothing to the producer, and releasing an empty slot does nothing") {
    Push push;
    Slot slot;
    slot.release();
    slot.hold(push);
    slot.release();
    slot.release();
    CHECK_FALSE(slot);
    CHECK(push.calls == 0);
    CHECK(slot.destroyed == 0);
}

TEST_CASE("a producer that is destroyed leaves its slot, which hears of it once") {
    Slot slot;
    {
        Push push;
        slot.hold(push);
    }
    CHECK_FALSE(slot);
    CHECK(slot.producer() == nullptr);
    CHECK(slot.push() == nullptr);
    CHECK(slot.destroyed == 1);
}

TEST_CASE("a producer in several slots leaves all of them, and only those it is still in") {
    Slot first;
    Slot second;
    Slot third;
    {
        Push push;
        first.hold(push);
        second.hold(push);
        third.hold(push);
        second.release();
    }
    CHECK(first.destroyed == 1);
    CHECK(second.destroyed == 0);
    CHECK(third.destroyed == 1);
}

TEST_CASE("a slot that is destroyed leaves its producer untouched") {
    Push push;
    std::optional<Slot> slot(std::in_place);
    Slot other;
    slot->hold(push);
    other.hold(push);
    slot.reset();
    CHECK(push.calls == 0);
    CHECK(other.producer() == &push);
}

TEST_CASE("a slot may be destroyed when another hears of their producer's end") {
    struct Destroying final : ProducerSlot {
        std::optional<Slot>* victim = nullptr;

    private:
        void producerDestroyed() override { victim->reset(); }
    };
    std::optional<Slot> victim(std::in_place);
    Destroying slot;
    slot.victim = &victim;
    {
        Push push;
        victim->hold(push);
        slot.hold(push);
    }
    CHECK_FALSE(victim.has_value());
    CHECK_FALSE(slot);
}
