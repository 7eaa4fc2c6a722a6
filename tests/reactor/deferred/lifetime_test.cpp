#include <reactor/coroutine.hpp>
#include <reactor/deferred.hpp>
#include <reactor/deferred_list.hpp>
#include <reactor/errors.hpp>
#include <reactor/task_scope.hpp>

#include "support/deferred_result.hpp"
#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <utility>
#include <vector>

using namespace torsion;
using test::resultOf;
using test::Trace;
using test::traceResult;

namespace {

/// An operation that stops its own work when it is cancelled.
struct Operation {
    explicit Operation(Trace& steps) : trace(steps) {
        promise.onCancel([this] { trace.push_back("stopped"); });
    }

    Trace& trace;
    Promise<int> promise;
};

} // namespace

TEST_CASE("a promise dropped inside a step is not asked to stop by who cancels its Deferred in the same step") {
    Trace trace;
    auto operation = std::make_unique<Operation>(trace);
    Deferred<int> deferred = operation->promise.deferred();
    const Canceller canceller = deferred.canceller();
    traceResult(std::move(deferred), trace);
    Promise<void> start;
    start.deferred()
        .addCallback([&] {
            operation.reset();
            canceller.cancel();
        })
        .detach();
    start.callback();
    CHECK(trace == Trace{"CancelledError"});
}

TEST_CASE("a coroutine that was cancelled while it ran may await a member of what the canceller destroys") {
    struct Session {
        Promise<int> promise;
        Deferred<int> answer = promise.deferred();
    };
    auto session = std::make_unique<Session>();
    session->promise.onCancel([&] { session.reset(); });
    Promise<void> start;
    std::optional<Deferred<int>> own;
    auto ask = [](Deferred<void> begin, Session& asked, std::optional<Deferred<int>>& self) -> Deferred<int> {
        co_await std::move(begin);
        self->cancel();
        co_return co_await std::move(asked.answer);
    };
    own = ask(start.deferred(), *session, own);
    start.callback();
    CHECK(session == nullptr);
    CHECK(resultOf(std::move(*own)) == "CancelledError");
}
