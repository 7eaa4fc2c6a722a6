#include <reactor/coroutine.hpp>
#include <reactor/deferred.hpp>
#include <reactor/detail/node_pool.hpp>
#include <reactor/errors.hpp>

#include "support/alloc_count.hpp"
#include <doctest/doctest.h>

#include <cstdint>

using namespace torsion;

namespace {

Deferred<int> plusOne(Deferred<int> number) {
    co_return co_await std::move(number) + 1;
}

/// Allocations of awaiting `count` Deferreds that are there.
Deferred<std::uint64_t> awaitReady(int count) {
    const test::AllocationCount allocations;
    for (int i = 0; i < count; ++i)
        co_await succeed(i);
    co_return allocations.get();
}

} // namespace

TEST_CASE("a ready value with its steps allocates nothing") {
    const test::AllocationCount count;
    Deferred<int> deferred =
        succeed(1).addCallback([](int number) { return number + 1; }).addErrback([](const Failure&) { return 0; });
    CHECK(deferred.hasResult());
    CHECK(count.get() == 0);
}

TEST_CASE("a ready failure with its steps allocates nothing") {
    const test::AllocationCount count;
    int handled = 0;
    fail<int>(Failure::of<UserError>())
        .addCallback([](int number) { return number + 1; })
        .addErrback([&handled](const Failure&) { ++handled; })
        .detach();
    CHECK(handled == 1);
    CHECK(count.get() == 0);
}

TEST_CASE("awaiting what is there allocates nothing") {
    awaitReady(1).detach();
    awaitReady(100).addCallback([](std::uint64_t allocations) { CHECK(allocations == 0); }).detach();
}

TEST_CASE("a promise, its steps and the coroutine that awaits it come from the pool once that is warm") {
    auto once = [] {
        Promise<int> promise;
        Deferred<int> deferred = plusOne(promise.deferred().addCallback([](int number) { return number + 1; }));
        promise.callback(1);
        return deferred.hasResult();
    };
    once();
    const test::AllocationCount count;
    CHECK(once());
    CHECK((count.get() == 0) == detail::nodesArePooled());
}

TEST_CASE("a pending Deferred takes one block, also where its value is large") {
    struct Large {
        char bytes[2000];
    };
    const test::AllocationCount count;
    const Promise<Large> promise;
    CHECK(count.get() == 1);
}
