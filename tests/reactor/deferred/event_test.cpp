#include <reactor/coroutine.hpp>
#include <reactor/deferred_event.hpp>
#include <reactor/errors.hpp>

#include "support/deferred_result.hpp"
#include "support/log_capture.hpp"
#include <doctest/doctest.h>

#include <optional>
#include <string>

using namespace torsion;
using namespace torsion::test;

namespace {

Deferred<int> waitFor(const SharedDeferred<int>& shared, Trace& trace, std::string name) {
    const int value = co_await shared.get();
    trace.push_back(std::move(name));
    co_return value;
}

} // namespace

TEST_CASE("an event lets all go on that wait for it, in order, and those who come later at once") {
    LogCapture logged;
    DeferredEvent event;
    Trace trace;
    event.wait().addCallback([&] { trace.push_back("first"); }).detach();
    event.wait().addCallback([&] { trace.push_back("second"); }).detach();
    CHECK(event.waiting() == 2);
    event.set();
    CHECK(trace == Trace{"first", "second"});
    CHECK(event.isSet());
    CHECK(resultOf(event.wait()) == "ok");
    event.clear();
    CHECK(resultOf(event.wait()) == "none");
}

TEST_CASE("an event that one of those who waited clears: the others go on, who comes now waits") {
    DeferredEvent event;
    Trace trace;
    event.wait()
        .addCallback([&] {
            event.clear();
            traceResult(event.wait(), trace);
            trace.push_back("first");
        })
        .detach();
    event.wait().addCallback([&] { trace.push_back("second"); }).detach();
    event.set();
    CHECK(trace == Trace{"first", "second"});
    event.set();
    CHECK(trace.back() == "ok");
}

TEST_CASE("cancelling one who waits for an event leaves the others waiting") {
    DeferredEvent event;
    Deferred<void> first = event.wait();
    Deferred<void> second = event.wait();
    first.cancel();
    CHECK(event.waiting() == 1);
    event.set();
    CHECK(resultOf(std::move(first)) == "CancelledError");
    CHECK(resultOf(std::move(second)) == "ok");
}

TEST_CASE("one who waits may cancel the next, or destroy the event") {
    std::optional<DeferredEvent> event(std::in_place);
    Trace trace;
    Canceller next;
    event->wait().addCallback([&] { next.cancel(); }).detach();
    Deferred<void> second = event->wait();
    next = second.canceller();
    traceResult(std::move(second), trace);
    event->wait().addCallback([&] { event.reset(); }).detach();
    traceResult(event->wait(), trace);
    event->set();
    CHECK(trace == Trace{"CancelledError", "BrokenPromiseError"});
}

TEST_CASE("K5: coroutines that wait for one result all complete, in order") {
    Promise<int> promise;
    const SharedDeferred<int> shared = share(promise.deferred());
    Trace trace;
    Deferred<int> first = waitFor(shared, trace, "first");
    Deferred<int> second = waitFor(shared, trace, "second");
    promise.callback(6);
    CHECK(trace == Trace{"first", "second"});
    CHECK(valueOf(std::move(first)) == 6);
    CHECK(valueOf(std::move(second)) == 6);
    CHECK(valueOf(shared.get()) == 6);
}

TEST_CASE("a shared failure comes to all who ask; nobody asking, it is logged once") {
    LogCapture logged;
    {
        Promise<void> promise;
        const SharedDeferred<void> shared = share(promise.deferred());
        Deferred<void> before = shared.get();
        promise.errback(Failure::of<UserError>());
        CHECK(resultOf(std::move(before)) == "UserError");
        CHECK(resultOf(shared.get()) == "UserError");
        CHECK(shared.hasResult());
    }
    CHECK(logged.count() == 0);
    { const SharedDeferred<void> unasked = share(fail(Failure::of<UserError>("lost"))); }
    CHECK(logged.count("Unhandled error in Deferred: UserError: lost") == 1);
}

TEST_CASE("cancelling one consumer of a shared Deferred leaves the others; cancel() cancels the source") {
    Promise<int> promise;
    const SharedDeferred<int> shared = share(promise.deferred());
    Deferred<int> first = shared.get();
    Deferred<int> second = shared.get();
    first.cancel();
    CHECK_FALSE(promise.isFired());
    CHECK(resultOf(std::move(first)) == "CancelledError");
    shared.cancel();
    CHECK(promise.isFired());
    CHECK(resultOf(std::move(second)) == "CancelledError");
}

TEST_CASE("where a shared value cannot be copied for one, that one fails, and the others have it") {
    struct Copied {
        explicit Copied(int& copies) : left(&copies) {}
        Copied(const Copied& other) : left(other.left) {
            if (--*left == 0)
                throw NoProtocol();
        }
        Copied(Copied&&) noexcept = default;
        Copied& operator=(const Copied&) = delete;
        Copied& operator=(Copied&&) noexcept = default;
        ~Copied() = default;
        int* left;
    };
    int left = 2;
    Promise<Copied> promise;
    const SharedDeferred<Copied> shared = share(promise.deferred());
    Trace trace;
    for (int i = 0; i < 3; ++i)
        traceResult(shared.get(), trace);
    promise.callback(Copied(left));
    CHECK(trace == Trace{"ok", "NoProtocol", "ok"});
    left = 1;
    CHECK(resultOf(shared.get()) == "NoProtocol");
    CHECK(resultOf(shared.get()) == "ok");
}
