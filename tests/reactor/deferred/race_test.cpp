#include <reactor/deferred_list.hpp>
#include <reactor/errors.hpp>

#include "support/deferred_inputs.hpp"
#include "support/deferred_result.hpp"
#include "support/log_capture.hpp"
#include <doctest/doctest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

using namespace torsion;
using namespace torsion::test;

namespace {

using Counts = std::vector<int>;

Trace namesOf(const FailureGroup& group) {
    Trace names;
    for (const Failure& failure : group.failures())
        names.push_back(failure.name());
    return names;
}

} // namespace

TEST_CASE("J46 (S-174): the first value wins, and the others are cancelled") {
    Inputs<int> inputs(3);
    Deferred<Indexed<int>> first = race(inputs.deferreds());
    inputs.promises[0].errback(Failure::of<UserError>());
    CHECK_FALSE(first.hasResult());
    inputs.promises[2].callback(7);
    CHECK(inputs.cancelled == Counts{0, 1, 0});
    const Indexed<int> won = valueOf(std::move(first));
    CHECK(won.index == 2);
    CHECK(won.value == 7);
}

TEST_CASE("J47 (S-174): when all fail, FailureGroup has their failures in order") {
    Inputs<int> inputs(2);
    Deferred<Indexed<int>> first = race(inputs.deferreds());
    inputs.promises[1].errback(Failure::of<NoProtocol>());
    inputs.promises[0].errback(Failure::of<UserError>());
    CHECK(namesOf(errorOf<FailureGroup>(std::move(first))) == Trace{"UserError", "NoProtocol"});
    CHECK(resultOf(race(std::vector<Deferred<int>>())) == "FailureGroup");
}

TEST_CASE("J48 (S-174): what the cancelled losers come to is dropped") {
    LogCapture logged;
    Inputs<int> inputs(4);
    inputs.promises[1].onCancel([&] { inputs.promises[1].callback(1); });
    inputs.promises[2].onCancel([&] { inputs.promises[2].errback(Failure::of<UserError>()); });
    inputs.promises[3].onCancel([] { throw std::runtime_error("in a canceller"); });
    Deferred<Indexed<int>> first = race(inputs.deferreds());
    inputs.promises[0].callback(5);
    CHECK(valueOf(std::move(first)).value == 5);
    CHECK(logged.count() == 0);
}

TEST_CASE("J49 (S-174): cancelling the race cancels all") {
    Inputs<int> inputs(2);
    Deferred<Indexed<int>> first = race(inputs.deferreds());
    first.cancel();
    CHECK(inputs.cancelled == Counts{1, 1});
    CHECK(resultOf(std::move(first)) == "CancelledError");
}

TEST_CASE("a race of a few, one of which is there") {
    Promise<int> slow;
    Deferred<Indexed<int>> first = race(slow.deferred(), succeed(4), fail<int>(Failure::of<UserError>()));
    CHECK(slow.isFired());
    CHECK(valueOf(std::move(first)).index == 1);
}

TEST_CASE("a race of Deferreds without values tells who won") {
    Promise<void> a;
    Promise<void> b;
    Deferred<Indexed<void>> first = race(a.deferred(), b.deferred());
    b.callback();
    CHECK(valueOf(std::move(first)).index == 1);
    CHECK(a.isFired());
}

TEST_CASE("a loser whose canceller cancels the race itself leaves it cancelled, and nothing is logged") {
    LogCapture logged;
    Inputs<int> inputs(2);
    Canceller whole;
    inputs.promises[1].onCancel([&] { whole.cancel(); });
    Deferred<Indexed<int>> first = race(inputs.deferreds());
    whole = first.canceller();
    inputs.promises[0].callback(7);
    CHECK(resultOf(std::move(first)) == "CancelledError");
    CHECK(logged.count() == 0);
}

TEST_CASE("J46: of Deferreds of different types the first value wins, at its place in a variant") {
    Promise<int> number;
    Promise<std::unique_ptr<int>> owner;
    Promise<void> nothing;
    auto first = race(number.deferred(), owner.deferred(), nothing.deferred());
    using Value = std::variant<int, std::unique_ptr<int>, std::monostate>;
    static_assert(std::is_same_v<decltype(first), Deferred<Value>>);
    SUBCASE("a value") {
        owner.callback(std::make_unique<int>(7));
        CHECK(number.isFired());
        CHECK(nothing.isFired());
        const Value won = valueOf(std::move(first));
        REQUIRE(won.index() == 1);
        CHECK(*std::get<1>(won) == 7);
    }
    SUBCASE("none, for void") {
        number.errback(Failure::of<UserError>());
        nothing.callback();
        CHECK(owner.isFired());
        CHECK(valueOf(std::move(first)).index() == 2);
    }
}

TEST_CASE("of two Deferreds of one type among others the variant's index tells which it was") {
    Promise<int> slow;
    auto first = race(slow.deferred(), succeed(std::string("text")).addErrback([](const Failure&) {}), succeed(2));
    const std::variant<int, std::monostate, int> won = valueOf(std::move(first));
    CHECK(won.index() == 1);
    CHECK(slow.isFired());
}

TEST_CASE("J47: when Deferreds of different types all fail, FailureGroup has their failures in order") {
    Promise<int> number;
    Promise<void> nothing;
    auto first = race(number.deferred(), nothing.deferred());
    nothing.errback(Failure::of<NoProtocol>());
    CHECK_FALSE(first.hasResult());
    number.errback(Failure::of<UserError>());
    CHECK(namesOf(errorOf<FailureGroup>(std::move(first))) == Trace{"UserError", "NoProtocol"});
}

TEST_CASE("J48, J49: the losers of different types are cancelled from the last on, and what they come to is dropped") {
    LogCapture logged;
    std::vector<int> order;
    Promise<int> number;
    Promise<std::string> text;
    Promise<void> nothing;
    number.onCancel([&] { order.push_back(0); });
    text.onCancel([&] {
        order.push_back(1);
        text.callback("late");
    });
    nothing.onCancel([&] {
        order.push_back(2);
        nothing.errback(Failure::of<UserError>());
    });
    auto first = race(number.deferred(), text.deferred(), nothing.deferred());
    SUBCASE("one has won") {
        number.callback(5);
        CHECK(order == Counts{2, 1});
        CHECK(std::get<0>(valueOf(std::move(first))) == 5);
        CHECK(logged.count() == 0);
    }
    SUBCASE("the race is cancelled") {
        first.cancel();
        CHECK(order == Counts{2, 1, 0});
        CHECK(resultOf(std::move(first)) == "CancelledError");
        CHECK(logged.count("UserError") == 1);
    }
}
