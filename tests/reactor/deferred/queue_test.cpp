#include <reactor/deferred_queue.hpp>
#include <reactor/errors.hpp>

#include "support/deferred_result.hpp"
#include <doctest/doctest.h>

#include <memory>
#include <optional>

using namespace torsion;
using namespace torsion::test;

TEST_CASE("L7 (S-181): objects and those who wait are served in order") {
    DeferredQueue<int> queue;
    Trace trace;
    traceResult(queue.get(), trace);
    traceResult(queue.get(), trace);
    queue.put(1);
    CHECK(trace == Trace{"1"});
    queue.put(2);
    queue.put(3);
    queue.put(4);
    CHECK(queue.size() == 2);
    traceResult(queue.get(), trace);
    traceResult(queue.get(), trace);
    CHECK(trace == Trace{"1", "2", "3", "4"});
    CHECK(queue.size() == 0);
}

TEST_CASE("L7 (S-181): more than size objects are refused, and more than backlog who wait") {
    DeferredQueue<int> queue({.size = 2, .backlog = 1});
    queue.put(1);
    queue.put(2);
    CHECK_THROWS_AS(queue.put(3), QueueOverflow);
    CHECK(valueOf(queue.get()) == 1);
    CHECK(valueOf(queue.get()) == 2);
    Deferred<int> waiting = queue.get();
    CHECK(queue.waiting() == 1);
    CHECK(resultOf(queue.get()) == "QueueUnderflow");
    queue.put(4);
    CHECK(valueOf(std::move(waiting)) == 4);
}

TEST_CASE("L7 (S-181): with size 0 an object is refused unless somebody waits; with backlog 0 nobody may wait") {
    DeferredQueue<int> hand({.size = 0});
    CHECK_THROWS_AS(hand.put(1), QueueOverflow);
    Deferred<int> waiting = hand.get();
    hand.put(1);
    CHECK(valueOf(std::move(waiting)) == 1);
    DeferredQueue<int> impatient({.backlog = 0});
    CHECK(resultOf(impatient.get()) == "QueueUnderflow");
}

TEST_CASE("L8 (S-181): the object is kept for the next when the one who waited was cancelled") {
    DeferredQueue<std::unique_ptr<int>> queue;
    Deferred<std::unique_ptr<int>> waiting = queue.get();
    waiting.cancel();
    CHECK(resultOf(std::move(waiting)) == "CancelledError");
    queue.put(std::make_unique<int>(5));
    CHECK(queue.size() == 1);
    Deferred<std::unique_ptr<int>> got = queue.get();
    got.cancel();
    CHECK(*valueOf(std::move(got)) == 5);
}

TEST_CASE("a queue that is destroyed, by a step of its own as well, fails those who wait") {
    std::optional<DeferredQueue<int>> queue(std::in_place);
    Trace trace;
    traceResult(queue->get().addCallback([&](int object) {
        queue.reset();
        return object;
    }),
                trace);
    traceResult(queue->get(), trace);
    queue->put(1);
    CHECK(trace == Trace{"1", "BrokenPromiseError"});
}
