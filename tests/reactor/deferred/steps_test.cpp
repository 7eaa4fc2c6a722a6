#include <reactor/deferred.hpp>
#include <reactor/detail/node_pool.hpp>
#include <reactor/errors.hpp>

#include "support/alloc_count.hpp"
#include "support/deferred_result.hpp"
#include "support/log_capture.hpp"
#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <stdexcept>
#include <type_traits>

using namespace torsion;
using namespace torsion::test;

namespace {

static_assert(!std::is_copy_constructible_v<Deferred<void>>);
static_assert(std::is_nothrow_move_constructible_v<Deferred<void>>);

} // namespace

TEST_CASE("J3 (S-155): steps run at once when the result is there") {
    Trace trace;
    Deferred<void> deferred = Deferred<void>::succeed().addCallback([&] { trace.push_back("a"); });
    CHECK(trace == Trace{"a"});
    traceResult(std::move(deferred).addCallback([&] { trace.push_back("b"); }), trace);
    CHECK(trace == Trace{"a", "b", "ok"});
}

TEST_CASE("S-155: steps that wait run in order, inside callback") {
    Trace trace;
    Promise<void> promise;
    Deferred<void> deferred =
        promise.deferred().addCallback([&] { trace.push_back("a"); }).addCallback([&] { trace.push_back("b"); });
    CHECK_FALSE(deferred.hasResult());
    CHECK(trace.empty());
    promise.callback();
    CHECK(trace == Trace{"a", "b"});
    CHECK(resultOf(std::move(deferred)) == "ok");
}

TEST_CASE("a result that comes before the Deferred is asked for is kept") {
    Promise<void> promise;
    promise.callback();
    CHECK(promise.isFired());
    CHECK(resultOf(promise.deferred()) == "ok");
    CHECK_THROWS_AS(promise.deferred().detach(), std::logic_error);
}

TEST_CASE("S-156: a step added by a running step runs after it") {
    Trace trace;
    Promise<void> promise;
    std::optional<Deferred<void>> deferred;
    deferred = promise.deferred().addCallback([&] {
        trace.push_back("a begins");
        deferred = std::move(*deferred).addCallback([&] { trace.push_back("b"); });
        trace.push_back("a ends");
    });
    promise.callback();
    CHECK(trace == Trace{"a begins", "a ends", "b"});
}

TEST_CASE("J6 (S-157): an exception switches to the errbacks, and an errback that returns switches back") {
    Trace trace;
    Promise<void> promise;
    Deferred<void> deferred = promise.deferred()
                                  .addErrback([&](const Failure&) { trace.push_back("never"); })
                                  .addCallback([] { throw std::runtime_error("oops"); })
                                  .addCallback([&] { trace.push_back("never"); })
                                  .addErrback([&](const Failure& failure) { trace.push_back(failure.toString()); })
                                  .addCallback([&] { trace.push_back("back"); });
    promise.callback();
    CHECK(trace == Trace{"std::runtime_error: oops", "back"});
    CHECK(resultOf(std::move(deferred)) == "ok");
}

TEST_CASE("S-157: an errback that throws passes its own failure on, and one that traps another class the old one") {
    CHECK(resultOf(Deferred<void>::fail(Failure::of<UserError>()).addErrback([](const Failure&) {
              throw NoProtocol();
          })) == "NoProtocol");
    CHECK(resultOf(Deferred<void>::fail(Failure::of<UserError>()).addErrback([](const Failure& failure) {
              failure.trap<ConnectionLost>();
          })) == "UserError");
}

TEST_CASE("S-158: a step that returns a Failure fails, unless it is empty") {
    CHECK(resultOf(Deferred<void>::succeed().addCallback([] { return Failure::of<UserError>(); })) == "UserError");
    CHECK(resultOf(Deferred<void>::succeed().addCallback([] { return Failure(); })) == "ok");
    CHECK(resultOf(Deferred<void>::fail(Failure::of<UserError>()).addErrback([](const Failure& failure) {
              return failure;
          })) == "UserError");
}

TEST_CASE("S-159: addCallbacks calls one of the two; its errback does not hear of its callback's failure") {
    Trace trace;
    auto both = [&](Deferred<void> deferred) {
        return resultOf(std::move(deferred).addCallbacks(
            [&] {
                trace.push_back("callback");
                throw NoProtocol();
            },
            [&](const Failure& failure) { trace.push_back(failure.name()); }));
    };
    CHECK(both(Deferred<void>::succeed()) == "NoProtocol");
    CHECK(both(Deferred<void>::fail(Failure::of<UserError>())) == "ok");
    CHECK(trace == Trace{"callback", "UserError"});
}

TEST_CASE("addBoth hears of both results and passes them on") {
    Trace trace;
    auto look = [&trace](const Failure* failure) { trace.push_back(failure != nullptr ? failure->name() : "ok"); };
    CHECK(resultOf(Deferred<void>::succeed().addBoth(look)) == "ok");
    CHECK(resultOf(Deferred<void>::fail(Failure::of<UserError>()).addBoth(look)) == "UserError");
    CHECK(resultOf(Deferred<void>::fail(Failure::of<UserError>()).addBoth([&] { trace.push_back("plain"); })) ==
          "UserError");
    CHECK(trace == Trace{"ok", "UserError", "plain"});

    CHECK(resultOf(Deferred<void>::succeed().addBoth([] { throw NoProtocol(); })) == "NoProtocol");
    CHECK(resultOf(Deferred<void>::fail(Failure::of<UserError>()).addBoth([] { return Deferred<void>::succeed(); })) ==
          "ok");
}

TEST_CASE("S-160: a step that returns a Deferred waits for its result") {
    Trace trace;
    Promise<void> outer;
    Promise<void> inner;
    traceResult(outer.deferred().addCallback([&] {
        trace.push_back("outer");
        return inner.deferred().addCallback([&] { trace.push_back("inner"); });
    }),
                trace);
    outer.callback();
    CHECK(trace == Trace{"outer"});
    inner.callback();
    CHECK(trace == Trace{"outer", "inner", "ok"});
}

TEST_CASE("J10 (S-160): the steps of a returned Deferred run before the outer one goes on, in a chain of three") {
    Trace trace;
    Promise<int> inmost;
    Deferred<int> outer = Deferred<void>::succeed()
                              .addCallback([&] {
                                  return Deferred<void>::succeed()
                                      .addCallback([&] {
                                          return inmost.deferred().addCallback([&](int value) {
                                              trace.push_back("inmost " + std::to_string(value));
                                              return value + 1;
                                          });
                                      })
                                      .addCallback([&](int value) {
                                          trace.push_back("middle " + std::to_string(value));
                                          return value + 1;
                                      });
                              })
                              .addCallback([&](int value) {
                                  trace.push_back("outer " + std::to_string(value));
                                  return value;
                              });
    CHECK(trace.empty());
    inmost.callback(1);
    CHECK(trace == Trace{"inmost 1", "middle 2", "outer 3"});
    CHECK(resultOf(std::move(outer)) == "3");
}

TEST_CASE("J15 (S-160): the outer Deferred goes on at once when the returned one has fired already") {
    Trace trace;
    Promise<int> fired;
    fired.callback(7);
    Deferred<int> inner = fired.deferred();
    traceResult(Deferred<void>::succeed().addCallback([&] { return std::move(inner); }), trace);
    CHECK(trace == Trace{"7"});
}

TEST_CASE("J16, J33 (S-160): the failure of a returned Deferred moves to the outer one and is no longer unhandled") {
    LogCapture logged;
    Trace trace;
    Promise<void> outer;
    Promise<void> inner;
    traceResult(outer.deferred().addCallback([&] { return inner.deferred(); }), trace);
    outer.callback();
    inner.errback(Failure::of<UserError>());
    CHECK(trace == Trace{"UserError"});

    CHECK(resultOf(Deferred<void>::succeed().addCallback(
              [] { return Deferred<void>::fail(Failure::of<NoProtocol>()); })) == "NoProtocol");
    Promise<void> late;
    Trace lateTrace;
    traceResult(late.deferred().addCallback([] { return Deferred<void>::fail(Failure::of<NoProtocol>()); }), lateTrace);
    late.callback();
    CHECK(lateTrace == Trace{"NoProtocol"});
    CHECK(logged.count() == 0);
}

TEST_CASE("J21 (S-163): a step that returns the Deferred which waits for it fails") {
    LogCapture logged;
    Promise<void> promise;
    std::optional<Deferred<void>> own;
    own = promise.deferred()
              .addCallback([&] {
                  Deferred<void> waiting = std::move(*own);
                  return waiting;
              })
              .addCallback([] {});
    promise.callback();
    CHECK(logged.count("Unhandled error in Deferred: std::logic_error: a callback returned the Deferred") == 1);
}

TEST_CASE("firing twice throws AlreadyCalledError") {
    Promise<void> promise;
    Deferred<void> deferred = promise.deferred();
    promise.callback();
    CHECK_THROWS_AS(promise.callback(), AlreadyCalledError);
    CHECK_THROWS_AS(promise.errback(Failure::of<UserError>()), AlreadyCalledError);
    CHECK(resultOf(std::move(deferred)) == "ok");
    CHECK_THROWS_AS(promise.callback(), AlreadyCalledError);
}

TEST_CASE("an empty Failure is refused as a result") {
    Promise<void> promise;
    CHECK_THROWS_AS(promise.errback(Failure()), std::invalid_argument);
    CHECK_FALSE(promise.isFired());
    CHECK_THROWS_AS(Deferred<void>::fail(Failure()).detach(), std::invalid_argument);
}

TEST_CASE("a promise that is dropped unfired fails its Deferred with BrokenPromiseError") {
    Trace trace;
    {
        Promise<void> promise;
        traceResult(promise.deferred(), trace);
        Promise<void> moved = std::move(promise);
        CHECK(trace.empty());
        Promise<void> other;
        Trace otherTrace;
        traceResult(other.deferred(), otherTrace);
        other = std::move(moved);
        CHECK(otherTrace == Trace{"BrokenPromiseError"});
    }
    CHECK(trace == Trace{"BrokenPromiseError"});
}

TEST_CASE("a Deferred that was consumed throws when used again") {
    Deferred<void> deferred = Deferred<void>::succeed();
    Deferred<void> moved = std::move(deferred);
    CHECK_FALSE(deferred.hasResult());
    CHECK_THROWS_AS(std::move(deferred).addCallback([] {}).detach(), std::logic_error);
    deferred = std::move(moved);
    CHECK(deferred.hasResult());
}

TEST_CASE("a step may destroy the promise that fires it") {
    Trace trace;
    auto promise = std::make_unique<Promise<void>>();
    traceResult(promise->deferred().addCallback([&] { promise.reset(); }), trace);
    promise->callback();
    CHECK(trace == Trace{"ok"});
    CHECK(promise == nullptr);
}

TEST_CASE("what a step holds is released once it has run, also while a canceller is kept") {
    auto token = std::make_shared<int>(0);
    Promise<void> promise;
    Deferred<void> deferred = promise.deferred().addCallback([token] {});
    const Canceller canceller = deferred.canceller();
    CHECK(token.use_count() == 2);
    promise.callback();
    CHECK(token.use_count() == 1);
}

TEST_CASE("success costs no allocation: born, with steps, and dropped") {
    const AllocationCount count;
    int calls = 0;
    Deferred<void> deferred =
        Deferred<void>::succeed().addCallback([&calls] { ++calls; }).addBoth([&calls] { ++calls; });
    CHECK(deferred.hasResult());
    CHECK(calls == 2);
    CHECK(count.get() == 0);
}

TEST_CASE("a promise with its steps costs no allocation once the pool is warm") {
    int calls = 0;
    auto once = [&calls] {
        Promise<void> promise;
        promise.onCancel([&calls] { --calls; });
        Deferred<void> deferred = promise.deferred().addCallback([&calls] { ++calls; }).addBoth([&calls] { ++calls; });
        promise.callback();
        return deferred.hasResult();
    };
    once();
    const AllocationCount count;
    CHECK(once());
    CHECK(calls == 4);
    CHECK((count.get() == 0) == detail::nodesArePooled());
}

TEST_CASE("a promise that a running step drops breaks after the step, and only if nothing else came first") {
    Trace trace;
    Promise<void> first;
    std::optional<Promise<void>> broken(std::in_place);
    std::optional<Promise<void>> cancelled(std::in_place);
    traceResult(broken->deferred(), trace);
    Deferred<void> other = cancelled->deferred();
    const Canceller canceller = other.canceller();
    traceResult(std::move(other), trace);
    first.deferred()
        .addCallback([&] {
            broken.reset();
            cancelled.reset();
            trace.push_back("dropped");
            canceller.cancel();
        })
        .detach();
    first.callback();
    CHECK(trace == Trace{"dropped", "CancelledError", "BrokenPromiseError"});
}

TEST_CASE("a running step may drop the Deferred of its own result") {
    LogCapture logged;
    Promise<void> promise;
    std::optional<Deferred<void>> deferred;
    deferred = promise.deferred().addCallback([&] {
        deferred.reset();
        throw NoProtocol();
    });
    promise.callback();
    CHECK(logged.count("Unhandled error in Deferred: NoProtocol") == 1);
}
