#include <reactor/deferred_list.hpp>
#include <reactor/errors.hpp>

#include "support/deferred_inputs.hpp"
#include "support/deferred_result.hpp"
#include "support/log_capture.hpp"
#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

using namespace torsion;
using namespace torsion::test;

namespace {

using Counts = std::vector<int>;

std::vector<Deferred<int>> firedInputs() {
    std::vector<Deferred<int>> inputs;
    inputs.push_back(succeed(1));
    inputs.push_back(fail<int>(Failure::of<UserError>()));
    inputs.push_back(succeed(3));
    return inputs;
}

} // namespace

TEST_CASE("J36 (S-172): the results in the order of the Deferreds, whatever the order in which they come") {
    Inputs<int> inputs(3);
    Deferred<std::vector<Result<int>>> list = deferredList(inputs.deferreds());
    inputs.promises[2].callback(3);
    inputs.promises[0].callback(1);
    CHECK_FALSE(list.hasResult());
    inputs.promises[1].errback(Failure::of<UserError>());
    const std::vector<Result<int>> results = valueOf(std::move(list));
    REQUIRE(results.size() == 3);
    CHECK(*results[0] == 1);
    CHECK(results[1].failure().check<UserError>());
    CHECK(*results[2] == 3);
}

TEST_CASE("J37 (S-172): no Deferreds, no waiting") {
    CHECK(valueOf(deferredList(std::vector<Deferred<int>>())).empty());
    CHECK(resultOf(deferredList(std::vector<Deferred<int>>(), FireOnOneCallback{})) == "FailureGroup");
}

TEST_CASE("J38 (S-172): with fireOnOneErrback it fails with FirstError, which has the index; the others go on") {
    LogCapture logged;
    Inputs<int> inputs(3);
    Deferred<std::vector<Result<int>>> list = deferredList(inputs.deferreds(), {.fireOnOneErrback = true});
    inputs.promises[0].callback(1);
    inputs.promises[1].errback(Failure::of<UserError>("wrong"));
    CHECK(inputs.cancelled == Counts{0, 0, 0});
    const FirstError error = errorOf<FirstError>(std::move(list));
    CHECK(error.index() == 1);
    CHECK(error.subFailure().check<UserError>());
    CHECK(logged.count() == 0);
    inputs.promises[2].errback(Failure::of<UserError>("too late"));
    CHECK(logged.count("Unhandled error in Deferred: UserError: too late") == 1);
}

TEST_CASE("S-172: with FireOnOneCallback the first value is enough; the others go on") {
    LogCapture logged;
    Inputs<int> inputs(3);
    Deferred<Indexed<int>> first = deferredList(inputs.deferreds(), FireOnOneCallback{});
    inputs.promises[0].errback(Failure::of<UserError>());
    inputs.promises[2].callback(3);
    CHECK(inputs.cancelled == Counts{0, 0, 0});
    inputs.promises[1].callback(2);
    const Indexed<int> value = valueOf(std::move(first));
    CHECK(value.index == 2);
    CHECK(value.value == 3);

    Inputs<int> both(2);
    Deferred<Indexed<int>> either = deferredList(both.deferreds(), FireOnOneCallback{.orErrback = true});
    both.promises[1].errback(Failure::of<UserError>());
    CHECK(errorOf<FirstError>(std::move(either)).index() == 1);
}

TEST_CASE("J40: the failures of the inputs are handled by the list") {
    LogCapture logged;
    CHECK(valueOf(deferredList(firedInputs())).size() == 3);
    CHECK(logged.count() == 0);
}

TEST_CASE("J41: inputs that have fired already") {
    LogCapture logged;
    CHECK(deferredList(firedInputs()).addCallback([](const std::vector<Result<int>>&) {}).hasResult());
    CHECK(resultOf(deferredList(firedInputs(), {.fireOnOneErrback = true})) == "FirstError");
    CHECK(valueOf(deferredList(firedInputs(), FireOnOneCallback{})).index == 0);
}

TEST_CASE("J42 (S-173): cancelling the list cancels every input that has not fired") {
    Inputs<int> inputs(3);
    Deferred<std::vector<Result<int>>> list = deferredList(inputs.deferreds());
    inputs.promises[1].callback(1);
    list.cancel();
    CHECK(inputs.cancelled == Counts{1, 0, 1});
    CHECK(resultOf(std::move(list)) == "CancelledError");
}

TEST_CASE("J43 (S-173): a canceller that throws is logged, and the others are cancelled") {
    LogCapture logged;
    Inputs<int> inputs(3);
    inputs.promises[0].onCancel([] { throw NoProtocol(); });
    Deferred<std::vector<Result<int>>> list = deferredList(inputs.deferreds());
    list.cancel();
    CHECK(inputs.cancelled == Counts{0, 1, 1});
    CHECK(resultOf(std::move(list)) == "CancelledError");
    CHECK(logged.count("NoProtocol") == 1);
    CHECK(logged.count() == 1);
}

TEST_CASE("J44 (S-173): cancelling a list that has fired leaves the inputs alone") {
    LogCapture logged;
    Inputs<int> inputs(2);
    Deferred<Indexed<int>> first = deferredList(inputs.deferreds(), FireOnOneCallback{});
    inputs.promises[0].callback(1);
    first.cancel();
    CHECK(inputs.cancelled == Counts{0, 0});
    CHECK(valueOf(std::move(first)).value == 1);
}

TEST_CASE("a list of Deferreds without values") {
    std::vector<Deferred<void>> inputs;
    inputs.push_back(succeed());
    inputs.push_back(fail(Failure::of<UserError>()));
    const std::vector<Result<void>> results = valueOf(deferredList(std::move(inputs)));
    CHECK(results[0].hasValue());
    CHECK(results[1].failure().check<UserError>());
}

TEST_CASE("dropping the list's Deferred drops nothing else") {
    Inputs<int> inputs(2);
    deferredList(inputs.deferreds()).detach();
    CHECK(inputs.cancelled == Counts{0, 0});
    inputs.promises[0].callback(1);
    inputs.promises[1].callback(1);
}
