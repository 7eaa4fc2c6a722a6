#include <reactor/coroutine.hpp>
#include <reactor/deferred.hpp>
#include <reactor/deferred_event.hpp>
#include <reactor/deferred_queue.hpp>
#include <reactor/errors.hpp>

#include "support/deferred_result.hpp"
#include <doctest/doctest.h>

#include <deque>
#include <functional>
#include <optional>
#include <utility>

using namespace torsion;
using namespace torsion::test;

namespace {

constexpr int kLong = 100'000;

Deferred<void> passOn(DeferredQueue<int>& in, DeferredQueue<int>& out) {
    const int token = co_await in.get();
    out.put(token + 1);
}

/// Calls the function at a depth of `levels` of promises, each fired in a step of the one before.
void atDepth(int levels, const std::function<void()>& function) {
    if (levels == 0) {
        function();
        return;
    }
    Promise<void> promise;
    promise.deferred().addCallback([&] { atDepth(levels - 1, function); }).detach();
    promise.callback();
}

} // namespace

TEST_CASE("S-162: a hundred thousand coroutines pass a token on through queues, not one inside the other") {
    std::deque<DeferredQueue<int>> queues(kLong + 1);
    for (int i = 0; i < kLong; ++i)
        passOn(queues[i], queues[i + 1]).detach();
    queues.front().put(0);
    CHECK(valueOf(queues.back().get()) == kLong);
}

TEST_CASE("S-162: a hundred thousand events, each set by who waited for the one before") {
    std::deque<DeferredEvent> events(kLong + 1);
    for (int i = 0; i < kLong; ++i)
        events[i].wait().addCallback([&events, i] { events[i + 1].set(); }).detach();
    events.front().set();
    CHECK(events.back().isSet());
}

TEST_CASE("the steps run inside of callback() up to a depth of 64, and beyond it after the others") {
    Trace trace;
    const auto fire = [&] {
        Promise<void> promise;
        promise.deferred().addCallback([&] { trace.push_back("step"); }).detach();
        promise.callback();
        trace.push_back("returned");
    };
    SUBCASE("inside") {
        atDepth(63, fire);
        CHECK(trace == Trace{"step", "returned"});
    }
    SUBCASE("after") {
        atDepth(64, fire);
        CHECK(trace == Trace{"returned", "step"});
    }
}

TEST_CASE("a promise that was dropped, and then cancelled, deep inside of others fails once") {
    Trace trace;
    std::optional<Promise<void>> promise(std::in_place);
    Deferred<void> deferred = promise->deferred();
    const Canceller canceller = deferred.canceller();
    traceResult(std::move(deferred), trace);
    Promise<void> other;
    traceResult(other.deferred(), trace);
    atDepth(64, [&] {
        promise.reset();
        other.callback();
        canceller.cancel();
        CHECK(trace.empty());
    });
    CHECK(trace == Trace{"CancelledError", "ok"});
}
