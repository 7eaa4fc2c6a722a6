#include <reactor/coroutine.hpp>
#include <reactor/deferred.hpp>
#include <reactor/errors.hpp>

#include "support/deferred_result.hpp"
#include <doctest/doctest.h>

#include <deque>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

using namespace torsion;
using namespace torsion::test;

namespace {

Deferred<void> holding(std::shared_ptr<int> token, Deferred<void> work) {
    co_await std::move(work);
    ++*token;
}

/// Awaits, and then cancels `next`, which is kept in its frame.
Deferred<void> thenCancel(Deferred<void> work, Canceller next) {
    static_cast<void>(co_await asResult(std::move(work)));
    next.cancel();
}

} // namespace

TEST_CASE("a Canceller does not keep the parameters of a coroutine that has ended") {
    const auto token = std::make_shared<int>(0);
    Promise<void> promise;
    Deferred<void> deferred = holding(token, promise.deferred());
    const Canceller canceller = deferred.canceller();
    promise.callback();
    CHECK(resultOf(std::move(deferred)) == "ok");
    CHECK(token.use_count() == 1);
    canceller.cancel();
}

TEST_CASE("a Canceller and its copies do nothing once what they name is gone") {
    Canceller assigned;
    std::optional<Canceller> first;
    std::vector<Canceller> copies;
    {
        Promise<void> promise;
        Deferred<void> deferred = promise.deferred();
        first = deferred.canceller();
        copies.assign(100, *first);
        copies.erase(copies.begin() + 10, copies.begin() + 50);
        assigned = std::move(copies.back());
        copies.front() = Canceller();
        first.reset();
        promise.callback();
        CHECK(resultOf(std::move(deferred)) == "ok");
    }
    assigned.cancel();
    for (const Canceller& copy : copies)
        copy.cancel();
}

TEST_CASE("each copy of a Canceller cancels, also when the others were moved and dropped") {
    int cancelled = 0;
    Promise<void> promise;
    promise.onCancel([&] { ++cancelled; });
    const Deferred<void> deferred = promise.deferred().addErrback([](const Failure&) {});
    std::vector<Canceller> copies(3, deferred.canceller());
    Canceller last = std::move(copies[1]);
    last = Canceller(last);
    copies[1].cancel();
    CHECK(cancelled == 0);
    copies.clear();
    last.cancel();
    last.cancel();
    CHECK(cancelled == 1);
}

TEST_CASE("S-162: a hundred thousand coroutines that have each other's Cancellers end without recursion") {
    constexpr int kLong = 100'000;
    std::deque<Promise<void>> promises(kLong);
    std::vector<Deferred<void>> running;
    for (Promise<void>& promise : promises) {
        Canceller before = running.empty() ? Canceller() : running.back().canceller();
        running.push_back(thenCancel(promise.deferred(), std::move(before)));
    }
    SUBCASE("dropped with their promises") {
        promises.clear();
        CHECK(resultOf(std::move(running.back())) == "ok");
    }
    SUBCASE("each cancelled by the one after it") {
        running.back().cancel();
        CHECK(promises.front().isFired());
        CHECK(resultOf(std::move(running.front())) == "ok");
    }
    SUBCASE("fired in order") {
        for (Promise<void>& promise : promises) {
            if (!promise.isFired())
                promise.callback();
        }
        CHECK(resultOf(std::move(running.back())) == "ok");
    }
    running.clear();
}
