#include <reactor/deferred.hpp>
#include <reactor/errors.hpp>

#include "support/chain_length.hpp"
#include "support/deferred_result.hpp"
#include <doctest/doctest.h>

#include <memory>
#include <optional>

using namespace torsion;
using namespace torsion::test;

namespace {

const int kLong = test::chainLength();

} // namespace

TEST_CASE("S-162: a million steps run one after the other") {
    int calls = 0;
    Promise<void> promise;
    Deferred<void> deferred = promise.deferred();
    for (int i = 0; i < kLong; ++i)
        deferred = std::move(deferred).addCallback([&calls] { ++calls; });
    promise.callback();
    CHECK(calls == kLong);
    CHECK(resultOf(std::move(deferred)) == "ok");
}

TEST_CASE("S-162: a million steps are cancelled and destroyed") {
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

TEST_CASE("J19 (S-162): a million Deferreds that were each returned by a step of the next pass one result on") {
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

TEST_CASE("S-162: a loop of a million steps, each returning the Deferred of the next, ends") {
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

TEST_CASE("S-162: a million promises, each owned by a step of the one before, break one after the other") {
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
