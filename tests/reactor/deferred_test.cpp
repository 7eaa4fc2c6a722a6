#include <reactor/deferred.hpp>
#include <reactor/errors.hpp>

#include "support/alloc_count.hpp"
#include "support/log_capture.hpp"
#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

using namespace torsion;
using test::LogCapture;

namespace {

using Trace = std::vector<std::string>;

static_assert(!std::is_copy_constructible_v<Deferred<void>>);
static_assert(std::is_nothrow_move_constructible_v<Deferred<void>>);

/// Appends what became of a Deferred to a trace: "ok", or the name of the failure.
void traceResult(Deferred<void> deferred, Trace& trace) {
    std::move(deferred)
        .addCallbacks([&trace] { trace.push_back("ok"); },
                      [&trace](const Failure& failure) { trace.push_back(failure.name()); })
        .detach();
}

/// What a Deferred came to that has its result.
std::string resultOf(Deferred<void> deferred) {
    Trace trace;
    if (!deferred.hasResult())
        return "none";
    traceResult(std::move(deferred), trace);
    return trace.at(0);
}

} // namespace

TEST_CASE("S-155: steps run at once when the result is there") {
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

TEST_CASE("S-157: an exception switches to the errbacks, and an errback that returns switches back") {
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

TEST_CASE("S-160: the failure of a returned Deferred moves to the outer one and is no longer unhandled") {
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

TEST_CASE("S-163: a step that returns the Deferred which waits for it fails") {
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
    const test::AllocationCount count;
    int calls = 0;
    Deferred<void> deferred =
        Deferred<void>::succeed().addCallback([&calls] { ++calls; }).addBoth([&calls] { ++calls; });
    CHECK(deferred.hasResult());
    CHECK(calls == 2);
    CHECK(count.get() == 0);
}

TEST_SUITE("unhandled failures") {
    TEST_CASE("S-165: a failure is logged when the Deferred that holds it is destroyed, with the place of creation") {
        LogCapture logged;
        {
            const Deferred<void> deferred = Deferred<void>::fail(Failure::of<UserError>("oops"));
            CHECK(logged.count() == 0);
        }
        REQUIRE(logged.count() == 1);
        CHECK(logged.contains("Unhandled error in Deferred: UserError: oops (created at "));
        CHECK(logged.contains("deferred_test.cpp:"));
        CHECK(logged.count(spdlog::level::critical) == 1);
    }

    TEST_CASE("S-165: an errback added before the destruction keeps it out of the log") {
        LogCapture logged;
        {
            Deferred<void> deferred = Deferred<void>::fail(Failure::of<UserError>());
            std::move(deferred).addErrback([](const Failure&) {}).detach();
        }
        CHECK(logged.count() == 0);
    }

    TEST_CASE("a Deferred dropped while it waits logs the failure when it comes, once") {
        LogCapture logged;
        Promise<void> promise;
        promise.deferred().addCallback([] {}).detach();
        CHECK(logged.count() == 0);
        promise.errback(Failure::of<UserError>("late"));
        CHECK(logged.count("Unhandled error in Deferred: UserError: late") == 1);
        CHECK(logged.count() == 1);
    }

    TEST_CASE("the steps of a dropped Deferred still run and may handle the failure") {
        LogCapture logged;
        Trace trace;
        Promise<void> promise;
        traceResult(promise.deferred(), trace);
        promise.errback(Failure::of<UserError>());
        CHECK(trace == Trace{"UserError"});
        CHECK(logged.count() == 0);
    }

    TEST_CASE("a failure whose Deferred nobody took is logged when the promise goes") {
        LogCapture logged;
        {
            Promise<void> promise;
            promise.errback(Failure::of<UserError>());
            CHECK(logged.count() == 0);
        }
        CHECK(logged.count() == 1);
        { const Promise<void> unused; }
        CHECK(logged.count() == 1);
    }

    TEST_CASE("a failure of the last step is logged with the place of the first") {
        LogCapture logged;
        const int line = __LINE__ + 1;
        Promise<void> promise;
        promise.deferred().addCallback([] { throw NoProtocol(); }).detach();
        promise.callback();
        CHECK(logged.count() == 1);
        CHECK(logged.contains("deferred_test.cpp:" + std::to_string(line) + ")"));
    }
}

TEST_SUITE("cancelling") {
    TEST_CASE("S-166: without a canceller the Deferred fails, and one late firing is ignored") {
        Trace trace;
        Promise<void> promise;
        Deferred<void> deferred = promise.deferred();
        deferred.cancel();
        CHECK(resultOf(std::move(deferred)) == "CancelledError");
        CHECK(promise.isFired());
        CHECK_NOTHROW(promise.callback());
        CHECK_THROWS_AS(promise.callback(), AlreadyCalledError);
    }

    TEST_CASE("S-167: a canceller is called once; a late firing after it is an error") {
        int calls = 0;
        Promise<void> promise;
        Deferred<void> deferred = promise.deferred();
        promise.onCancel([&] {
            ++calls;
            deferred.cancel();
        });
        deferred.cancel();
        deferred.cancel();
        CHECK(calls == 1);
        CHECK_THROWS_AS(promise.errback(Failure::of<UserError>()), AlreadyCalledError);
        CHECK(resultOf(std::move(deferred)) == "CancelledError");
    }

    TEST_CASE("S-167: a canceller may fire the promise itself, with success or failure, or drop it") {
        std::optional<Promise<void>> promise(std::in_place);
        Deferred<void> first = promise->deferred();
        promise->onCancel([&] { promise->callback(); });
        first.cancel();
        CHECK(resultOf(std::move(first)) == "ok");

        promise.emplace();
        Deferred<void> second = promise->deferred();
        promise->onCancel([&] { promise->errback(Failure::of<UserError>()); });
        second.cancel();
        CHECK(resultOf(std::move(second)) == "UserError");

        promise.emplace();
        Deferred<void> third = promise->deferred();
        promise->onCancel([&] { promise.reset(); });
        third.cancel();
        CHECK(resultOf(std::move(third)) == "CancelledError");
    }

    TEST_CASE("S-168: what a canceller throws is the failure") {
        Promise<void> promise;
        Deferred<void> deferred = promise.deferred();
        promise.onCancel([] { throw NoProtocol(); });
        deferred.cancel();
        CHECK(resultOf(std::move(deferred)) == "NoProtocol");
    }

    TEST_CASE("S-169: cancelling what has its result does nothing") {
        Promise<void> promise;
        bool called = false;
        promise.onCancel([&] { called = true; });
        Deferred<void> deferred = promise.deferred();
        promise.callback();
        deferred.cancel();
        CHECK_FALSE(called);
        CHECK(resultOf(std::move(deferred)) == "ok");
        Deferred<void> born = Deferred<void>::succeed();
        born.cancel();
        born.canceller().cancel();
        CHECK(resultOf(std::move(born)) == "ok");
    }

    TEST_CASE("S-169: cancelling a Deferred that waits for an inner one cancels that one") {
        Trace trace;
        Promise<void> outer;
        Promise<void> inner;
        inner.onCancel([&] { trace.push_back("inner cancelled"); });
        Deferred<void> deferred = outer.deferred().addCallback([&] { return inner.deferred(); }).addCallback([] {});
        outer.callback();
        deferred.cancel();
        CHECK(trace == Trace{"inner cancelled"});
        CHECK(resultOf(std::move(deferred)) == "CancelledError");
    }

    TEST_CASE("S-170: the canceller is released when the promise fires") {
        auto token = std::make_shared<int>(0);
        Promise<void> promise;
        promise.onCancel([token] {});
        CHECK(token.use_count() == 2);
        promise.deferred().detach();
        promise.callback();
        CHECK(token.use_count() == 1);
        promise.onCancel([token] {});
        CHECK(token.use_count() == 1);
    }

    TEST_CASE("the handle of canceller() finds the Deferred wherever it was moved, and does not keep it going") {
        Trace trace;
        Canceller canceller;
        canceller.cancel();
        {
            Promise<void> promise;
            Deferred<void> deferred = promise.deferred().addCallback([] {});
            canceller = deferred.canceller();
            traceResult(std::move(deferred), trace);
            const Canceller copy = canceller;
            copy.cancel();
            CHECK(trace == Trace{"CancelledError"});
        }
        canceller.cancel();
        CHECK(trace.size() == 1);

        {
            Promise<void> promise;
            Deferred<void> deferred = promise.deferred();
            canceller = deferred.canceller();
            traceResult(std::move(deferred), trace);
        }
        CHECK(trace.back() == "BrokenPromiseError");
    }

    TEST_CASE("a step that cancels its own Deferred while it runs changes nothing") {
        Promise<void> promise;
        std::optional<Deferred<void>> deferred;
        deferred = promise.deferred().addCallback([&] { deferred->cancel(); });
        promise.callback();
        CHECK(resultOf(std::move(*deferred)) == "ok");
    }
}

TEST_SUITE("S-162: long chains") {
    constexpr int kLong = 1'000'000;

    TEST_CASE("a million steps run one after the other") {
        int calls = 0;
        Promise<void> promise;
        Deferred<void> deferred = promise.deferred();
        for (int i = 0; i < kLong; ++i)
            deferred = std::move(deferred).addCallback([&calls] { ++calls; });
        promise.callback();
        CHECK(calls == kLong);
        CHECK(resultOf(std::move(deferred)) == "ok");
    }

    TEST_CASE("a million steps are cancelled and destroyed") {
        auto token = std::make_shared<int>(0);
        {
            Promise<void> promise;
            Deferred<void> deferred = promise.deferred();
            for (int i = 0; i < kLong; ++i)
                deferred = std::move(deferred).addCallback([token] {});
            deferred.cancel();
            CHECK(resultOf(std::move(deferred)) == "CancelledError");
        }
        CHECK(token.use_count() == 1);
    }

    TEST_CASE("a million Deferreds that were each returned by a step of the next pass one result on") {
        Promise<void> first;
        Deferred<void> deferred = first.deferred();
        for (int i = 0; i < kLong; ++i) {
            Promise<void> next;
            Deferred<void> outer = next.deferred().addCallback([&deferred] { return std::move(deferred); });
            next.callback();
            deferred = std::move(outer);
        }
        CHECK_FALSE(deferred.hasResult());
        first.callback();
        CHECK(resultOf(std::move(deferred)) == "ok");
    }

    TEST_CASE("a loop of a million steps, each returning the Deferred of the next, ends") {
        std::optional<Promise<void>> current;
        int left = kLong;
        struct Loop {
            std::optional<Promise<void>>& current;
            int& left;
            Deferred<void> operator()() const {
                if (--left == 0)
                    return Deferred<void>::succeed();
                current.emplace();
                return current->deferred().addCallback(Loop(*this));
            }
        };
        Deferred<void> whole = Loop{current, left}();
        while (left > 0) {
            Promise<void> promise = std::move(*current);
            promise.callback();
        }
        CHECK(resultOf(std::move(whole)) == "ok");
    }

    TEST_CASE("a million promises, each owned by a step of the one before, break one after the other") {
        int broken = 0;
        {
            std::unique_ptr<Promise<void>> last;
            for (int i = 0; i < kLong; ++i) {
                auto promise = std::make_unique<Promise<void>>();
                promise->deferred()
                    .addCallback([owned = std::move(last)] {})
                    .addErrback([&broken](const Failure& failure) {
                        if (failure.check<BrokenPromiseError>())
                            ++broken;
                    })
                    .detach();
                last = std::move(promise);
            }
        }
        CHECK(broken == kLong);
    }
}
