#include <reactor/coroutine.hpp>
#include <reactor/deferred.hpp>
#include <reactor/errors.hpp>

#include "support/deferred_result.hpp"
#include "support/log_capture.hpp"
#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

using namespace torsion;
using namespace torsion::test;

namespace {

using Owned = std::unique_ptr<int>;

Deferred<int> plusOne(Deferred<int> number) {
    co_return co_await std::move(number) + 1;
}

Deferred<std::string> describe(Deferred<int> number) {
    try {
        const int value = co_await plusOne(std::move(number));
        co_return std::to_string(value);
    } catch (const UserError& error) {
        co_return std::string("caught ") + error.kind().name;
    }
}

Deferred<void> throwing(Deferred<void> first) {
    co_await std::move(first);
    throw std::runtime_error("thrown in a coroutine");
}

Deferred<Owned> owned(Deferred<Owned> one) {
    Owned taken = co_await std::move(one);
    ++*taken;
    co_return taken;
}

Deferred<int> failing(bool withResult) {
    if (withResult)
        co_return Result<int>(Failure::of<NoProtocol>());
    co_return Failure::of<UserError>();
}

Deferred<std::string> resultAsText(Deferred<int> number) {
    Result<int> result = co_await asResult(std::move(number));
    co_return result ? std::to_string(*result) : result.failure().name();
}

/// Counts those that live.
class Counted {
public:
    explicit Counted(int& count) noexcept : count_(&count) { ++*count_; }
    Counted(Counted&& other) noexcept : count_(std::exchange(other.count_, nullptr)) {}
    Counted& operator=(Counted&&) = delete;
    ~Counted() {
        if (count_ != nullptr)
            --*count_;
    }

private:
    int* count_;
};

Deferred<void> holding(Counted counted, Deferred<void> until) {
    const Counted kept = std::move(counted);
    co_await std::move(until);
}

Deferred<Counted> making(int& count) {
    co_return Counted(count);
}

} // namespace

TEST_CASE("K1: co_await gives the value, or throws; the return value fires the Deferred") {
    Promise<int> promise;
    Deferred<std::string> deferred = describe(promise.deferred());
    CHECK_FALSE(deferred.hasResult());
    promise.callback(4);
    CHECK(valueOf(std::move(deferred)) == "5");
}

TEST_CASE("K2: an exception that the coroutine does not catch is the failure of its Deferred") {
    Promise<void> promise;
    Deferred<void> deferred = throwing(promise.deferred());
    promise.callback();
    CHECK(resultOf(std::move(deferred)) == "std::runtime_error");
    CHECK(resultOf(throwing(succeed())) == "std::runtime_error");
    CHECK(resultOf(throwing(fail(Failure::of<UserError>()))) == "UserError");
}

TEST_CASE("K3, K6: the failure of an inner coroutine can be caught in the outer one") {
    LogCapture logged;
    Promise<int> promise;
    Deferred<std::string> deferred = describe(promise.deferred());
    promise.errback(Failure::of<UserError>());
    CHECK(valueOf(std::move(deferred)) == "caught UserError");
    CHECK(logged.count() == 0);
}

TEST_CASE("K13: awaiting Deferreds that are fired, failed, chained") {
    CHECK(valueOf(describe(succeed(1))) == "2");
    CHECK(valueOf(describe(fail<int>(Failure::of<UserError>()))) == "caught UserError");
    Promise<int> outer;
    Promise<int> inner;
    Deferred<std::string> chained = describe(outer.deferred().addCallback([&](int) { return inner.deferred(); }));
    outer.callback(1);
    inner.callback(2);
    CHECK(valueOf(std::move(chained)) == "3");
}

TEST_CASE("K13: a coroutine's Deferred takes steps like any other, before and after it has ended") {
    Promise<int> promise;
    Trace trace;
    traceResult(plusOne(promise.deferred()).addCallback([](int number) { return number * 10; }), trace);
    promise.callback(1);
    traceResult(plusOne(succeed(2)).addCallback([](int number) { return number * 10; }), trace);
    CHECK(trace == Trace{"20", "30"});
}

TEST_CASE("K14: maybeDeferred of a coroutine that throws gives a failed Deferred") {
    CHECK(resultOf(maybeDeferred([] { return throwing(succeed()); })) == "std::runtime_error");
}

TEST_CASE("values that can only be moved are awaited and returned") {
    Promise<Owned> promise;
    Deferred<Owned> deferred = owned(promise.deferred());
    promise.callback(std::make_unique<int>(1));
    CHECK(*valueOf(std::move(deferred)) == 2);
    CHECK(*valueOf(owned(Deferred<Owned>::succeed(std::make_unique<int>(4)))) == 5);
}

TEST_CASE("a coroutine may end with a Failure or a Result, without throwing") {
    CHECK(resultOf(failing(false)) == "UserError");
    CHECK(resultOf(failing(true)) == "NoProtocol");
}

TEST_CASE("asResult gives the failure instead of throwing it") {
    CHECK(valueOf(resultAsText(succeed(3))) == "3");
    CHECK(valueOf(resultAsText(fail<int>(Failure::of<UserError>()))) == "UserError");
    Promise<int> promise;
    Deferred<std::string> deferred = resultAsText(promise.deferred());
    promise.errback(Failure::of<NoProtocol>());
    CHECK(valueOf(std::move(deferred)) == "NoProtocol");
}

TEST_CASE("an exception keeps its identity through several coroutines") {
    struct Own : std::runtime_error {
        using std::runtime_error::runtime_error;
    };
    Promise<int> promise;
    Deferred<int> deferred = plusOne(plusOne(promise.deferred()));
    promise.errback(Failure::fromException(std::make_exception_ptr(Own("own"))));
    CHECK_THROWS_AS(valueOf(std::move(deferred)), Own);
}

TEST_CASE("a coroutine runs on when its Deferred was dropped; its failure is logged once, with its place") {
    LogCapture logged;
    Promise<void> promise;
    throwing(promise.deferred()).detach();
    CHECK(logged.count() == 0);
    promise.callback();
    CHECK(logged.count("Unhandled error in Deferred: std::runtime_error: thrown in a coroutine") == 1);
    CHECK(logged.contains("coroutine_test.cpp:"));
    CHECK(logged.count() == 1);
}

TEST_CASE("S-177: a failure that is awaited is handled") {
    LogCapture logged;
    CHECK(valueOf(describe(fail<int>(Failure::of<UserError>()))) == "caught UserError");
    CHECK(logged.count() == 0);
}

TEST_CASE("a promise that is dropped resumes the coroutine with BrokenPromiseError") {
    std::optional<Promise<int>> promise(std::in_place);
    Deferred<int> deferred = plusOne(promise->deferred());
    promise.reset();
    CHECK(resultOf(std::move(deferred)) == "BrokenPromiseError");
}

TEST_CASE("what a coroutine holds is destroyed with it, its parameters when its result was taken") {
    int count = 0;
    {
        Promise<void> promise;
        Deferred<void> deferred = holding(Counted(count), promise.deferred());
        CHECK(count == 1);
        promise.callback();
        CHECK(count == 0);
        CHECK(resultOf(std::move(deferred)) == "ok");
    }
    {
        LogCapture logged;
        Promise<void> promise;
        holding(Counted(count), promise.deferred()).detach();
        CHECK(count == 1);
    }
    CHECK(count == 0);
}

TEST_CASE("a value that nobody takes is destroyed with its Deferred") {
    int count = 0;
    {
        const Deferred<Counted> deferred = making(count);
        CHECK(count == 1);
    }
    CHECK(count == 0);
}

TEST_CASE("a coroutine may fire promises that resume others, each at once") {
    Trace trace;
    Promise<int> first;
    Promise<int> second;
    auto trigger = [](Deferred<int> awaited, Promise<int>& fired, Trace& steps) -> Deferred<void> {
        const int number = co_await std::move(awaited);
        steps.push_back("fires");
        fired.callback(number);
        steps.push_back("fired");
    };
    Deferred<void> whole = trigger(first.deferred(), second, trace);
    traceResult(plusOne(second.deferred()), trace);
    first.callback(1);
    CHECK(trace == Trace{"fires", "2", "fired"});
    CHECK(resultOf(std::move(whole)) == "ok");
}

TEST_CASE("a Deferred that was consumed cannot be awaited") {
    Deferred<int> deferred = succeed(1);
    const Deferred<int> moved = std::move(deferred);
    auto await = [](Deferred<int>& consumed) -> Deferred<int> { co_return co_await std::move(consumed); };
    CHECK(resultOf(await(deferred)) == "std::logic_error");
}

TEST_CASE("the object whose member is awaited may go meanwhile") {
    struct Owner {
        Deferred<int> number;
    };
    Promise<int> promise;
    auto owner = std::make_unique<Owner>(Owner{promise.deferred()});
    auto await = [](Owner& from) -> Deferred<int> { co_return co_await std::move(from.number); };
    Deferred<int> deferred = await(*owner);
    owner.reset();
    promise.callback(4);
    CHECK(valueOf(std::move(deferred)) == 4);
}

TEST_CASE("S-163: a coroutine that awaits its own Deferred fails") {
    Promise<void> start;
    std::optional<Deferred<void>> own;
    auto circle = [](Deferred<void> begin, std::optional<Deferred<void>>& self) -> Deferred<void> {
        co_await std::move(begin);
        co_await std::move(*self);
    };
    own = circle(start.deferred(), own);
    start.callback();
    CHECK(resultOf(std::move(*own)) == "std::logic_error");
}
