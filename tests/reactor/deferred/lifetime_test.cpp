#include <reactor/coroutine.hpp>
#include <reactor/deferred.hpp>
#include <reactor/deferred_list.hpp>
#include <reactor/errors.hpp>
#include <reactor/task_scope.hpp>

#include "support/deferred_result.hpp"
#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

using namespace torsion;
using namespace torsion::test;

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

namespace {

/// Writes down when it goes.
class Guard {
public:
    Guard(Trace& trace, std::string name) noexcept : trace_(&trace), name_(std::move(name)) {}
    Guard(Guard&& other) noexcept : trace_(std::exchange(other.trace_, nullptr)), name_(std::move(other.name_)) {}
    Guard& operator=(Guard&&) = delete;
    ~Guard() {
        if (trace_ != nullptr)
            trace_->push_back(name_ + " gone");
    }

private:
    Trace* trace_;
    std::string name_;
};

Deferred<int> hold(Guard, Deferred<int> number) {
    co_return co_await std::move(number);
}

} // namespace

TEST_CASE("the parameters of a coroutine are gone when what waits for it goes on") {
    Trace trace;
    Promise<int> promise;
    Deferred<int> held = hold(Guard(trace, "guard"), promise.deferred());
    SUBCASE("a coroutine") {
        auto next = [](Deferred<int> number, Trace& steps) -> Deferred<void> {
            co_await std::move(number);
            steps.push_back("next");
        };
        next(std::move(held), trace).detach();
    }
    SUBCASE("a step") {
        std::move(held).addCallback([&](int) { trace.push_back("next"); }).detach();
    }
    SUBCASE("what follows a step whose function returned it") {
        succeed()
            .addCallback([&] { return std::move(held); })
            .addCallback([&](int) { trace.push_back("next"); })
            .detach();
    }
    promise.callback(1);
    CHECK(trace == Trace{"guard gone", "next"});
}

TEST_CASE("the parameters of a scope's last task are gone when close() goes on") {
    Trace trace;
    Promise<void> work;
    Promise<void> last;
    TaskScope scope;
    auto sweep = [](Guard, Deferred<void> first, Deferred<void> second) -> Deferred<void> {
        if (co_await asResult(std::move(first)))
            co_return;
        co_await std::move(second);
    };
    scope.spawn(sweep(Guard(trace, "guard"), work.deferred(), last.deferred()));
    scope.close().addCallback([&] { trace.push_back("next"); }).detach();
    CHECK(trace.empty());
    last.callback();
    CHECK(trace == Trace{"guard gone", "next"});
}

TEST_CASE("a group does not keep the parameters of a coroutine that has ended") {
    Trace trace;
    Promise<int> first;
    Promise<int> second;
    Deferred<int> one = hold(Guard(trace, "guard"), first.deferred());
    Canceller all;
    SUBCASE("of one type") {
        std::vector<Deferred<int>> inputs;
        inputs.push_back(std::move(one));
        inputs.push_back(second.deferred());
        Deferred<std::vector<int>> values = gatherResults(std::move(inputs));
        all = values.canceller();
        traceResult(std::move(values), trace);
    }
    SUBCASE("of different types") {
        auto values = gatherResults(std::move(one), second.deferred());
        all = values.canceller();
        traceResult(std::move(values), trace);
    }
    first.callback(1);
    CHECK(trace == Trace{"guard gone"});
    all.cancel();
    CHECK(second.isFired());
    CHECK(trace == Trace{"guard gone", "CancelledError"});
}
