#include <doctest/doctest.h>

#include <reactor/core/timer_queue.hpp>
#include <reactor/errors.hpp>
#include <reactor/timer_queue_support.hpp>

#include "support/alloc_count.hpp"
#include "support/moment.hpp"

#include <chrono>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using torsion::DelayedCall;
using torsion::Duration;
using torsion::Function;
using torsion::ScopedCall;
using torsion::TimePoint;
using torsion::TimerQueue;
using torsion::test::at;
using torsion::test::QueueHost;

namespace {

constexpr std::uint32_t kLastSequences = std::numeric_limits<std::uint32_t>::max() - 3;

/// A queue, and the names of the calls that it made.
struct Fixture {
    explicit Fixture(std::uint32_t firstSequence = 0) : queue(std::in_place, host, firstSequence) {}

    DelayedCall add(Duration due, std::string name, TimerQueue::Kind kind = TimerQueue::Kind::User) {
        return queue->schedule(
            at(due), [this, name = std::move(name)] { made += name; }, kind);
    }
    DelayedCall add(Duration due, Function<void()> call) { return queue->schedule(at(due), std::move(call)); }
    std::size_t run(Duration now) {
        return queue->runDue(at(now), [](Function<void()>& call) { call(); });
    }

    QueueHost host;
    std::optional<TimerQueue> queue;
    std::string made;
};

} // namespace

TEST_CASE("S-131: a queue makes calls by time, and those of one time in the order in which they came") {
    Fixture f;
    f.add(2s, "c");
    f.add(1s, "a");
    f.add(2s, "d");
    f.add(1s, "b");
    f.add(3s, "e");
    CHECK(f.run(2s) == 4);
    CHECK(f.made == "abcd");
    CHECK(f.queue->size() == 1);
    CHECK(f.queue->nextDue() == at(3s));
}

TEST_CASE("S-131: the order survives the end of the sequence numbers") {
    Fixture f(kLastSequences);
    for (const char* name : {"a", "b", "c", "d", "e", "f", "g"})
        f.add(1s, name);
    DelayedCall last = f.add(0s, "h");
    last.reset(1s);
    f.run(1s);
    CHECK(f.made == "abcdefgh");
}

TEST_CASE("S-137: a call that is put off comes after those that already wait for that time") {
    Fixture f;
    DelayedCall putOff = f.add(1s, "p");
    DelayedCall twice = f.add(1s, "t");
    f.add(3s, "a");
    putOff.reset(3s);
    twice.reset(5s);
    CHECK(f.queue->nextDue() == at(3s));
    CHECK(f.queue->nextDueAfter(at(3s)) == at(5s));
    f.add(3s, "b");
    twice.reset(3s);
    CHECK(f.run(2s) == 0);
    f.run(3s);
    CHECK(f.made == "apbt");
}

TEST_CASE("S-132: a turn keeps to what was due when it began also when the sequence numbers end within") {
    Fixture f(kLastSequences);
    f.add(1s, [&] {
        for (const char* name : {"x", "y", "z"})
            f.add(0s, name);
        f.made += "a";
    });
    f.add(1s, "b");
    CHECK(f.run(1s) == 2);
    CHECK(f.made == "ab");
    CHECK(f.run(1s) == 3);
    CHECK(f.made == "abxyz");
}

TEST_CASE("S-132: what is scheduled, reset or delayed in a turn waits for the next, even into the past") {
    Fixture f;
    f.host.time = at(5s);
    DelayedCall distant = f.add(9s, "r");
    DelayedCall due = f.add(5s, "d");
    DelayedCall behind;
    f.add(1s, [&] {
        f.add(1s, "n");
        distant.reset(0s);
        behind.delay(-1h);
        f.made += "a";
    });
    behind = f.add(4s, "b");
    CHECK(f.run(5s) == 2);
    CHECK(f.made == "ad");
    CHECK(f.run(5s) == 3);
    CHECK(f.made == "adnrb");
    CHECK_FALSE(due.active());
}

TEST_CASE("S-132: a turn inside a call is one of its own, and the outer one goes on after it") {
    Fixture f;
    f.add(1s, [&] {
        f.add(0s, "n");
        CHECK(f.run(2s) == 3);
        f.add(0s, "m");
        f.made += "a";
    });
    f.add(1s, "b");
    f.add(2s, "c");
    CHECK(f.run(1s) == 1);
    CHECK(f.made == "bnca");
    f.run(2s);
    CHECK(f.made == "bncam");
}

TEST_CASE("a call may cancel and reset others of its turn") {
    Fixture f;
    DelayedCall cancelled;
    DelayedCall moved;
    f.add(1s, [&] {
        cancelled.cancel();
        moved.reset(5s);
    });
    cancelled = f.add(1s, "c");
    moved = f.add(1s, "m");
    f.add(1s, "b");
    CHECK(f.run(1s) == 2);
    CHECK(f.made == "b");
    CHECK(f.queue->nextDue() == at(5s));
}

TEST_CASE("when the guard stops a turn the rest keeps its times and its order") {
    Fixture f;
    for (const char* name : {"a", "b", "c"})
        f.add(1s, name);
    const auto once = [](Function<void()>& call) {
        call();
        return false;
    };
    CHECK(f.queue->runDue(at(1s), once) == 1);
    CHECK(f.made == "a");
    CHECK(f.queue->nextDue() == at(1s));
    f.add(1s, "d");
    f.run(1s);
    CHECK(f.made == "abcd");
}

TEST_CASE("S-70: an exception leaves the rest of the turn in the queue, for a guard that lets it out") {
    Fixture f;
    f.add(1s, [] { throw std::runtime_error("call"); });
    f.add(1s, "b");
    CHECK_THROWS_WITH(f.run(1s), "call");
    CHECK(f.queue->size() == 1);
    f.add(0s, "a"); // not inside a turn any more: sorts before b
    f.run(1s);
    CHECK(f.made == "ab");
}

TEST_CASE("a queue may be destroyed in one of its calls: the others are cancelled") {
    Fixture f;
    DelayedCall later;
    f.add(1s, [&] {
        f.queue.reset();
        f.made += "a";
    });
    later = f.add(1s, "b");
    CHECK(f.queue->runDue(at(1s), [](Function<void()>& call) { call(); }) == 1);
    CHECK(f.made == "a");
    CHECK_FALSE(later.active());
    CHECK_THROWS_AS(later.cancel(), torsion::AlreadyCancelled);
}

TEST_CASE("callables may cancel and schedule when their queue destroys them") {
    struct Last {
        Last(TimerQueue& theQueue, DelayedCall theOther) : queue(theQueue), other(std::move(theOther)) {}
        ~Last() {
            if (other.active())
                other.call().reset(1s);
            other = ScopedCall();
            CHECK_FALSE(queue.schedule(TimePoint(), [] {}).active());
        }
        TimerQueue& queue;
        ScopedCall other;
    };
    QueueHost host;
    auto queue = std::make_unique<TimerQueue>(host);
    for (int i = 0; i < 10; ++i) {
        DelayedCall other = queue->schedule(at(1s * i), [] {});
        queue->schedule(at(1s), [last = std::make_unique<Last>(*queue, other)] {});
    }
    CHECK(queue->size() == 20);
    queue.reset();
}

TEST_CASE("internal calls are made in order, and neither counted nor listed") {
    Fixture f;
    f.add(1s, "a");
    DelayedCall internal = f.add(1s, "i", TimerQueue::Kind::Internal);
    f.add(2s, "b");
    CHECK(f.queue->size() == 2);
    CHECK(f.queue->getDelayedCalls().size() == 2);
    f.run(1s);
    CHECK(f.made == "ai");
    internal = f.add(500ms, "i", TimerQueue::Kind::Internal);
    CHECK(f.queue->nextDue() == at(500ms));
    internal.cancel();
    CHECK(f.queue->size() == 1);
}

TEST_CASE("H10, H11, H12, H15: the queue says when the next call is due, and its host hears of changes") {
    Fixture f;
    CHECK(f.queue->nextDue() == std::nullopt);
    DelayedCall first = f.add(2s, "b");
    CHECK(f.host.changes == 1);
    f.add(3s, "c");
    CHECK(f.host.changes == 1);
    DelayedCall earlier = f.add(1s, "a");
    CHECK(f.host.changes == 2);
    CHECK(f.queue->nextDue() == at(1s));
    CHECK(f.queue->nextDueAfter(at(1s)) == at(2s));
    CHECK(f.queue->nextDueAfter(at(3s)) == std::nullopt);
    earlier.reset(4s);
    CHECK(f.host.changes == 3);
    CHECK(f.queue->nextDue() == at(2s));
    first.cancel();
    CHECK(f.host.changes == 4);
    CHECK(f.queue->nextDue() == at(3s));
    f.run(4s);
    CHECK(f.host.changes == 4);
    CHECK(f.queue->nextDue() == std::nullopt);
}

TEST_CASE("a queue allocates nothing for as many calls as it has held before") {
    Fixture f;
    std::vector<DelayedCall> calls;
    const auto fill = [&] {
        for (int i = 0; i < 1000; ++i)
            calls.push_back(f.queue->schedule(at(1s * (i % 7)), [&f] { f.made.clear(); }));
    };
    fill();
    f.run(7s);
    calls.clear();
    const torsion::test::AllocationCount count;
    for (int round = 0; round < 3; ++round) {
        fill();
        for (std::size_t i = 0; i < calls.size(); i += 3)
            calls[i].cancel();
        for (std::size_t i = 1; i < calls.size(); i += 3)
            calls[i].reset(3s);
        f.run(7s);
        calls.clear();
    }
    CHECK(count.get() == 0);
}
