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
