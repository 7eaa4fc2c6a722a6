#include <reactor/coroutine.hpp>
#include <reactor/deferred_list.hpp>
#include <reactor/errors.hpp>

#include "support/deferred_inputs.hpp"
#include "support/deferred_result.hpp"
#include "support/log_capture.hpp"
#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

using namespace torsion;
using namespace torsion::test;

namespace {

using Owned = std::unique_ptr<int>;

Deferred<std::string> both(Deferred<int> number, Deferred<std::string> text) {
    auto [first, second] = co_await gatherResults(std::move(number), std::move(text));
    co_return std::to_string(first) + second;
}

} // namespace

TEST_CASE("J45: gatherResults gives the values in order") {
    Inputs<int> inputs(3);
    Deferred<std::vector<int>> values = gatherResults(inputs.deferreds());
    inputs.promises[1].callback(2);
    inputs.promises[2].callback(3);
    CHECK_FALSE(values.hasResult());
    inputs.promises[0].callback(1);
    CHECK(valueOf(std::move(values)) == std::vector<int>{1, 2, 3});
    CHECK(valueOf(gatherResults(std::vector<Deferred<int>>())).empty());
}

TEST_CASE("J45: one failure fails it with FirstError, whose cause is that failure") {
    Inputs<int> inputs(2);
    Failure failure;
    gatherResults(inputs.deferreds())
        .addErrback([&](const Failure& first) {
            failure = first;
            return std::vector<int>();
        })
        .detach();
    inputs.promises[1].errback(Failure::of<UserError>("wrong"));
    CHECK(failure.check<FirstError>());
    CHECK(failure.cause().check<UserError>());
    CHECK(failure.getErrorMessage() == "Deferred number 1 failed.");
    inputs.promises[0].callback(1);
}

TEST_CASE("gatherResults of Deferreds without values gives none") {
    std::vector<Deferred<void>> inputs;
    inputs.push_back(succeed());
    Promise<void> promise;
    inputs.push_back(promise.deferred());
    Deferred<void> all = gatherResults(std::move(inputs));
    CHECK_FALSE(all.hasResult());
    promise.callback();
    CHECK(resultOf(std::move(all)) == "ok");
    CHECK(resultOf(gatherResults(std::vector<Deferred<void>>())) == "ok");
}

TEST_CASE("gatherResults of different types gives a tuple") {
    Promise<int> number;
    Promise<Owned> owned;
    Promise<void> nothing;
    Deferred<std::tuple<int, Owned, std::monostate>> all =
        gatherResults(number.deferred(), owned.deferred(), nothing.deferred());
    owned.callback(std::make_unique<int>(2));
    nothing.callback();
    number.callback(1);
    const auto values = valueOf(std::move(all));
    CHECK(std::get<0>(values) == 1);
    CHECK(*std::get<1>(values) == 2);
}

TEST_CASE("gatherResults of different types fails with FirstError, and is cancelled as a whole") {
    Promise<int> number;
    Promise<Owned> owned;
    Deferred<std::tuple<int, Owned>> all = gatherResults(number.deferred(), owned.deferred());
    owned.errback(Failure::of<UserError>());
    CHECK(resultOf(std::move(all)) == "FirstError");
    number.callback(1);

    Promise<int> first;
    Promise<void> second;
    Deferred<std::tuple<int, std::monostate>> cancelled = gatherResults(first.deferred(), second.deferred());
    cancelled.cancel();
    CHECK(first.isFired());
    CHECK(second.isFired());
    CHECK(resultOf(std::move(cancelled)) == "CancelledError");
}

TEST_CASE("a coroutine awaits several at once") {
    Promise<int> number;
    Promise<std::string> text;
    Deferred<std::string> deferred = both(number.deferred(), text.deferred());
    text.callback("nd");
    number.callback(2);
    CHECK(valueOf(std::move(deferred)) == "2nd");
    CHECK(valueOf(both(succeed(3), succeed(std::string("rd")))) == "3rd");

    Promise<int> slow;
    Promise<std::string> slower;
    Deferred<std::string> cancelled = both(slow.deferred(), slower.deferred());
    cancelled.cancel();
    CHECK(slow.isFired());
    CHECK(slower.isFired());
    CHECK(resultOf(std::move(cancelled)) == "CancelledError");
}

TEST_CASE("J43 (S-173): cancelling gatherResults cancels every input, quietly") {
    LogCapture logged;
    Inputs<int> inputs(2);
    Deferred<std::vector<int>> values = gatherResults(inputs.deferreds());
    values.cancel();
    CHECK(inputs.cancelled == std::vector<int>{1, 1});
    CHECK(resultOf(std::move(values)) == "CancelledError");
    CHECK(logged.count() == 0);
}

TEST_CASE("promises that are dropped fail what was gathered") {
    LogCapture logged;
    Deferred<std::vector<int>> values = Deferred<std::vector<int>>::succeed(std::vector<int>());
    {
        Inputs<int> inputs(2);
        values = gatherResults(inputs.deferreds());
    }
    CHECK(resultOf(std::move(values)) == "FirstError");
    CHECK(logged.count("BrokenPromiseError") == 1);
}
