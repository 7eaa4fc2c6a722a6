#include <reactor/deferred.hpp>
#include <reactor/errors.hpp>

#include "support/deferred_result.hpp"
#include "support/log_capture.hpp"
#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

using namespace torsion;
using namespace torsion::test;

namespace {

using Owned = std::unique_ptr<int>;

static_assert(!std::is_copy_constructible_v<Deferred<int>>);
static_assert(std::is_nothrow_move_constructible_v<Deferred<Owned>>);
static_assert(detail::kIsValueType<void> && detail::kIsValueType<Owned> && detail::kIsValueType<int*>);
static_assert(!detail::kIsValueType<int&> && !detail::kIsValueType<const int> && !detail::kIsValueType<Failure>);
static_assert(!detail::kIsValueType<Deferred<int>> && !detail::kIsValueType<Result<int>>);

/// Not to be had without a value.
struct Strict {
    explicit Strict(int value) noexcept : number(value) {}
    Strict(Strict&& other) noexcept : number(other.number) {}
    Strict& operator=(Strict&&) = delete;
    int number;
};

} // namespace

TEST_CASE("J1: each callback gets what the one before has returned, of whatever type") {
    Promise<int> promise;
    Deferred<std::string> deferred = promise.deferred()
                                         .addCallback([](int number) { return number * 1.5; })
                                         .addCallback([](double number) { return std::to_string(number); })
                                         .addCallback([](std::string text) { return text.substr(0, 3); });
    promise.callback(3);
    CHECK(resultOf(std::move(deferred)) == "4.5");
}

TEST_CASE("J2: a failure passes callbacks by, a value errbacks") {
    CHECK(resultOf(Deferred<int>::fail(Failure::of<UserError>()).addCallback([](int) { return Owned(); })) ==
          "UserError");
    CHECK(valueOf(succeed(5).addErrback([](const Failure&) { return 6; })) == 5);
}

TEST_CASE("J4: an errback's value is the result") {
    CHECK(valueOf(fail<int>(Failure::of<UserError>()).addErrback([](const Failure&) { return 6; })) == 6);
    CHECK(valueOf(fail<std::string>(Failure::of<UserError>()).addErrback([](const Failure&) { return "text"; })) ==
          "text");
}

TEST_CASE("an errback that returns nothing drops the value of a success, too") {
    Trace trace;
    auto log = [&trace](const Failure& failure) { trace.push_back(failure.name()); };
    Deferred<void> first = succeed(5).addErrback(log);
    Deferred<void> second = fail<int>(Failure::of<UserError>()).addErrback(log);
    CHECK(resultOf(std::move(first)) == "ok");
    CHECK(resultOf(std::move(second)) == "ok");
    CHECK(trace == Trace{"UserError"});
}

TEST_CASE("values that can only be moved go through a chain of all kinds of steps") {
    Promise<Owned> promise;
    Deferred<Owned> deferred =
        promise.deferred()
            .addCallback([](Owned owned) { return owned; })
            .addErrback([](const Failure&) { return Owned(); })
            .addBoth([] {})
            .addBoth([](Result<Owned> result) { return result; })
            .addCallback([](Owned owned) { return Deferred<Owned>::succeed(std::move(owned)); })
            .addCallbacks([](Owned owned) { return owned; }, [](const Failure& failure) { return failure; });
    promise.callback(std::make_unique<int>(7));
    CHECK(*valueOf(std::move(deferred)) == 7);
}

TEST_CASE("a value needs no default and no assignment") {
    Promise<Strict> promise;
    Deferred<Strict> deferred = promise.deferred().addCallback([](Strict strict) { return strict; });
    promise.callback(Strict(3));
    CHECK(valueOf(std::move(deferred)).number == 3);
}

TEST_CASE("a callback may take its value by reference, and a pointer to a member may be a callback") {
    CHECK(valueOf(succeed(std::string("abc")).addCallback(&std::string::size)) == 3);
    CHECK(valueOf(succeed(std::string("abc")).addCallback([](const std::string& text) { return text + "d"; })) ==
          "abcd");
    CHECK(valueOf(succeed(std::string("abc")).addCallback([](std::string&& text) { return std::move(text); })) ==
          "abc");
}

TEST_CASE("J7, J8: a step may return a Deferred, and the next one gets its value") {
    Promise<int> outer;
    Promise<std::string> inner;
    Trace trace;
    traceResult(outer.deferred().addCallback([&](int) { return inner.deferred(); }), trace);
    outer.callback(1);
    CHECK(trace.empty());
    inner.callback("inner");
    CHECK(trace == Trace{"inner"});

    Promise<int> failing;
    Promise<int> rescue;
    traceResult(failing.deferred().addErrback([&](const Failure&) { return rescue.deferred(); }), trace);
    failing.errback(Failure::of<UserError>());
    rescue.callback(9);
    CHECK(trace == Trace{"inner", "9"});
}

TEST_CASE("J17: A waits for B, which waits for C") {
    Promise<int> a;
    Promise<int> b;
    Promise<int> c;
    Trace trace;
    traceResult(
        a.deferred().addCallback([&](int) { return b.deferred().addCallback([&](int) { return c.deferred(); }); }),
        trace);
    a.callback(1);
    b.callback(2);
    c.callback(3);
    CHECK(trace == Trace{"3"});
}

TEST_CASE("J18: what steps of an inner Deferred come to is what flows out") {
    Promise<int> outer;
    Promise<int> inner;
    Deferred<int> deferred = outer.deferred().addCallback(
        [&](int) { return inner.deferred().addCallback([](int number) { return number + 1; }); });
    outer.callback(1);
    inner.callback(10);
    CHECK(valueOf(std::move(deferred)) == 11);
}

TEST_CASE("J9: a step may return a Result, which is a value or a failure") {
    auto half = [](int number) -> Result<int> {
        if (number % 2 != 0)
            return Failure::of<UserError>();
        return number / 2;
    };
    CHECK(valueOf(succeed(8).addCallback(half)) == 4);
    CHECK(resultOf(succeed(7).addCallback(half)) == "UserError");
}

TEST_CASE("S-158: an errback that returns an empty Failure where a value is needed fails") {
    CHECK(resultOf(fail<int>(Failure::of<UserError>()).addErrback([](const Failure&) { return Failure(); })) ==
          "std::logic_error");
}

TEST_CASE("the two ways of addCallbacks meet in the callback's type, or in nothing") {
    Deferred<long> wide = succeed(1).addCallbacks([](int) { return 2L; }, [](const Failure&) { return 3; });
    Deferred<void> none = succeed(1).addCallbacks([](int) { return 2L; }, [](const Failure&) {});
    Deferred<long> inner = fail<int>(Failure::of<UserError>())
                               .addCallbacks([](int) { return 2L; }, [](const Failure&) { return succeed(3); });
    CHECK(valueOf(std::move(wide)) == 2);
    CHECK(resultOf(std::move(none)) == "ok");
    CHECK(valueOf(std::move(inner)) == 3);
}

TEST_CASE("addBoth: a function of the result makes the new one, one of the failure or of nothing looks") {
    auto text = [](const Result<int>& result) { return result ? std::to_string(*result) : result.failure().name(); };
    CHECK(resultOf(succeed(3).addBoth(text)) == "3");
    CHECK(resultOf(fail<int>(Failure::of<UserError>()).addBoth(text)) == "UserError");

    int looks = 0;
    CHECK(valueOf(succeed(3).addBoth([&] { ++looks; })) == 3);
    CHECK(valueOf(succeed(3).addBoth([&](const Failure* failure) { looks += failure == nullptr ? 1 : 100; })) == 3);
    CHECK(valueOf(succeed(3).addBoth([] { return Failure(); })) == 3);
    CHECK(resultOf(succeed(3).addBoth([] { return Failure::of<NoProtocol>(); })) == "NoProtocol");
    CHECK(resultOf(succeed(3).addBoth([] { throw NoProtocol(); })) == "NoProtocol");
    CHECK(valueOf(succeed(3).addBoth([] { return succeed(std::string("other")); })) == "other");
    CHECK(looks == 2);
}

TEST_CASE("J22: firing twice throws AlreadyCalledError, in all four combinations") {
    for (const bool firstSucceeds : {true, false}) {
        Promise<int> promise;
        Deferred<int> deferred = promise.deferred();
        if (firstSucceeds)
            promise.callback(1);
        else
            promise.errback(Failure::of<UserError>());
        CHECK_THROWS_AS(promise.callback(2), AlreadyCalledError);
        CHECK_THROWS_AS(promise.errback(Failure::of<NoProtocol>()), AlreadyCalledError);
        CHECK(resultOf(std::move(deferred)) == (firstSucceeds ? "1" : "UserError"));
    }
}

TEST_CASE("J50: maybeDeferred makes a Deferred of a value, of an exception, of a Failure, and passes one on") {
    auto divide = [](int a, int b) {
        if (b == 0)
            throw std::runtime_error("division by zero");
        return a / b;
    };
    CHECK(valueOf(maybeDeferred(divide, 6, 3)) == 2);
    CHECK(resultOf(maybeDeferred(divide, 6, 0)) == "std::runtime_error");
    CHECK(resultOf(maybeDeferred([] { return Failure::of<UserError>(); })) == "UserError");
    CHECK(resultOf(maybeDeferred([] {})) == "ok");
    Promise<int> promise;
    Deferred<int> passed = maybeDeferred([&] { return promise.deferred(); });
    CHECK_FALSE(passed.hasResult());
    promise.callback(4);
    CHECK(valueOf(std::move(passed)) == 4);
    CHECK(valueOf(execute(divide, 8, 2)) == 4);
}

TEST_CASE("a promise may be fired with a Result") {
    Promise<int> good;
    Promise<int> bad;
    good.fire(4);
    bad.fire(Failure::of<UserError>());
    CHECK(valueOf(good.deferred()) == 4);
    CHECK(resultOf(bad.deferred()) == "UserError");
}

TEST_CASE("a failure of a ready Deferred is logged once, when it is dropped") {
    LogCapture logged;
    fail<int>(Failure::of<UserError>("lost")).addCallback([](int number) { return number; }).detach();
    CHECK(logged.count("Unhandled error in Deferred: UserError: lost") == 1);
    CHECK(logged.contains("typed_test.cpp:"));
    CHECK(logged.count() == 1);
}

TEST_CASE("a Result is a value or a failure, and says which") {
    Result<int> value = 4;
    Result<int> failure = Failure::of<UserError>();
    CHECK(value.hasValue());
    CHECK(value.value() == 4);
    CHECK_FALSE(value.failure());
    CHECK_FALSE(failure);
    CHECK_THROWS_AS(failure.value(), UserError);
    CHECK(std::move(failure).valueOr(9) == 9);
    CHECK_THROWS_AS(Result<int>(Failure()).hasValue(), std::invalid_argument);
    CHECK_NOTHROW(Result<void>().value());
    CHECK(*Result<Owned>(std::make_unique<int>(2)).value() == 2);
}

TEST_CASE("a reference goes through as a std::reference_wrapper") {
    std::vector<int> numbers;
    succeed(std::ref(numbers)).addCallback([](std::vector<int>& list) { list.push_back(1); }).detach();
    CHECK(numbers.size() == 1);
}
