#include <reactor/coroutine.hpp>
#include <reactor/deferred.hpp>
#include <reactor/errors.hpp>

#include "support/chain_length.hpp"
#include "support/deferred_result.hpp"
#include <doctest/doctest.h>

#include <deque>
#include <optional>

using namespace torsion;
using namespace torsion::test;

namespace {

const int kLong = test::chainLength();

Deferred<int> plusOne(Deferred<int> number) {
    co_return co_await std::move(number) + 1;
}

/// Does not throw: a million exceptions take their time.
Deferred<int> passResult(Deferred<int> number) {
    co_return co_await asResult(std::move(number));
}

} // namespace

TEST_CASE("K4 (S-162): a million awaits of Deferreds that are there take no stack") {
    auto add = []() -> Deferred<int> {
        int sum = 0;
        for (int i = 0; i < kLong; ++i)
            sum += co_await succeed(1);
        co_return sum;
    };
    CHECK(valueOf(add()) == kLong);
}

TEST_CASE("S-162: a million coroutines that end at once take no stack") {
    Deferred<int> deferred = succeed(0);
    for (int i = 0; i < kLong; ++i)
        deferred = plusOne(std::move(deferred));
    CHECK(valueOf(std::move(deferred)) == kLong);
}

TEST_CASE("S-162: a million coroutines, each awaiting the one before, end one after the other") {
    Promise<int> promise;
    Deferred<int> deferred = promise.deferred();
    for (int i = 0; i < kLong; ++i)
        deferred = plusOne(std::move(deferred));
    promise.callback(0);
    CHECK(valueOf(std::move(deferred)) == kLong);
}

TEST_CASE("S-162: a million waiting coroutines are cancelled, and destroyed") {
    Promise<int> promise;
    Deferred<int> deferred = promise.deferred();
    for (int i = 0; i < kLong; ++i)
        deferred = passResult(std::move(deferred));
    deferred.cancel();
    CHECK(resultOf(std::move(deferred)) == "CancelledError");
}

TEST_CASE("S-162: a million waiting coroutines fall with the promise that is dropped") {
    std::optional<Promise<int>> promise(std::in_place);
    Deferred<int> deferred = promise->deferred();
    for (int i = 0; i < kLong; ++i)
        deferred = passResult(std::move(deferred));
    promise.reset();
    CHECK(resultOf(std::move(deferred)) == "BrokenPromiseError");
}

TEST_CASE("S-162: coroutines and steps mixed, half a million of each") {
    Promise<int> promise;
    Deferred<int> deferred = promise.deferred();
    for (int i = 0; i < kLong / 2; ++i)
        deferred = plusOne(std::move(deferred)).addCallback([](int number) { return number + 1; });
    promise.callback(0);
    CHECK(valueOf(std::move(deferred)) == kLong);
}

TEST_CASE("S-162: a coroutine that awaits a million promises, each fired while it waits, takes no stack") {
    std::optional<Promise<int>> current;
    auto add = [](std::optional<Promise<int>>& next) -> Deferred<int> {
        int sum = 0;
        for (int i = 0; i < kLong; ++i) {
            Promise<int>& promise = next.emplace();
            sum += co_await promise.deferred();
        }
        co_return sum;
    };
    Deferred<int> deferred = add(current);
    for (int i = 0; i < kLong; ++i) {
        Promise<int> promise = std::move(*current);
        promise.callback(1);
    }
    CHECK(valueOf(std::move(deferred)) == kLong);
}
