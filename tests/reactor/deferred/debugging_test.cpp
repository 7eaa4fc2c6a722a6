#include <reactor/coroutine.hpp>
#include <reactor/deferred.hpp>
#include <reactor/deferred_debugging.hpp>
#include <reactor/errors.hpp>

#include "support/deferred_result.hpp"
#include "support/log_capture.hpp"
#include <doctest/doctest.h>

#include <atomic>
#include <coroutine>
#include <cstddef>
#include <optional>
#include <source_location>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace torsion;
using namespace torsion::test;

namespace {

struct Debugging {
    Debugging() { setDebugging(true); }
    ~Debugging() { setDebugging(false); }
    Debugging(const Debugging&) = delete;
    Debugging& operator=(const Debugging&) = delete;
};

constexpr const char* kFile = std::source_location::current().file_name();

std::string placeIn(int line) {
    return std::string(kFile) + ":" + std::to_string(line);
}

/// What firing the promise once more says.
template <class T>
std::string messageOfFiring(Promise<T>& promise) {
    try {
        promise.errback(Failure::of<UserError>());
    } catch (const AlreadyCalledError& error) {
        return error.what();
    }
    return "";
}

/// No Deferred: what awaits it is resumed by the test.
struct Manual {
    std::coroutine_handle<>& waiting;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> handle) noexcept { waiting = handle; }
    void await_resume() const noexcept {}
};

Deferred<int> plusOne(Deferred<int> number) {
    co_return co_await std::move(number) + 1;
}

} // namespace

TEST_CASE("debugging is off at first, and may be switched") {
    CHECK_FALSE(getDebugging());
    {
        const Debugging on;
        CHECK(getDebugging());
    }
    CHECK_FALSE(getDebugging());
}

TEST_CASE("S-153: with debugging, AlreadyCalledError says where the promise was made and where it was first fired") {
    const Debugging on;
    const int made = __LINE__ + 1;
    Promise<int> promise;
    Deferred<int> deferred = promise.deferred();
    SUBCASE("by callback") {
        const int fired = __LINE__ + 1;
        promise.callback(1);
        CHECK(messageOfFiring(promise) ==
              "The promise was kept already: created at " + placeIn(made) + ", first fired at " + placeIn(fired));
        CHECK(resultOf(std::move(deferred)) == "1");
    }
    SUBCASE("by errback") {
        const int fired = __LINE__ + 1;
        promise.errback(Failure::of<NoProtocol>());
        CHECK(messageOfFiring(promise).ends_with("first fired at " + placeIn(fired)));
        CHECK(resultOf(std::move(deferred)) == "NoProtocol");
    }
    SUBCASE("by fire") {
        const int fired = __LINE__ + 1;
        promise.fire(Result<int>(1));
        CHECK(messageOfFiring(promise).ends_with("first fired at " + placeIn(fired)));
        CHECK(resultOf(std::move(deferred)) == "1");
    }
    SUBCASE("by a cancellation") {
        promise.onCancel([] {});
        deferred.cancel();
        CHECK(messageOfFiring(promise).ends_with(placeIn(made) + ", first cancelled"));
        CHECK(resultOf(std::move(deferred)) == "CancelledError");
    }
}

TEST_CASE("without debugging AlreadyCalledError says no places, nor of what was made before it was on") {
    Promise<void> promise;
    promise.deferred().detach();
    promise.callback();
    CHECK(messageOfFiring(promise) == AlreadyCalledError().what());
    const Debugging on;
    CHECK(messageOfFiring(promise) == AlreadyCalledError().what());
}

TEST_CASE("J35 (S-165): with debugging, an unhandled failure is logged with where it was fired and what way it came") {
    const LogCapture logged;
    const Debugging on;
    const int inner = __LINE__ + 1;
    Promise<int> promise;
    const int outer = __LINE__ + 1;
    Promise<void> trigger;
    std::optional<Deferred<int>> awaited(promise.deferred());
    plusOne(trigger.deferred().addCallback([&] { return std::move(*awaited); })).detach();
    trigger.callback();
    const int fired = __LINE__ + 1;
    promise.errback(Failure::of<UserError>("oops"));
    REQUIRE(logged.count() == 1);
    const std::string text = logged.lines()[0];
    // Which line of a coroutine is its place is the compiler's choice.
    CHECK(text.starts_with("Unhandled error in Deferred: UserError: oops (created at " + std::string(kFile)));
    CHECK(
        text.ends_with(", fired at " + placeIn(fired) + ", by way of " + placeIn(inner) + ", " + placeIn(outer) + ")"));
}

TEST_CASE("with debugging, a failure that a cancellation has brought is logged as such") {
    const LogCapture logged;
    const Debugging on;
    Promise<int> promise;
    const int made = __LINE__ - 1;
    promise.deferred().cancel();
    REQUIRE(logged.count() == 1);
    CHECK(logged.lines()[0].ends_with(" (created at " + placeIn(made) + ", cancelled)"));
}

TEST_CASE("a way of any length is logged with its last 16 places") {
    const LogCapture logged;
    const Debugging on;
    Promise<int> promise;
    Deferred<int> deferred = promise.deferred();
    // Each lambda's place is another.
    const auto first = [](Deferred<int> work) -> Deferred<int> { co_return co_await std::move(work); };
    const auto second = [](Deferred<int> work) -> Deferred<int> { co_return co_await std::move(work); };
    for (int i = 0; i < 100; ++i)
        deferred = i % 2 == 0 ? first(std::move(deferred)) : second(std::move(deferred));
    std::move(deferred).detach();
    promise.errback(Failure::of<UserError>());
    REQUIRE(logged.count() == 1);
    std::size_t places = 0;
    const std::string text = logged.text();
    for (std::size_t at = text.find("debugging_test.cpp:"); at != std::string::npos;
         at = text.find("debugging_test.cpp:", at + 1))
        ++places;
    CHECK(places == 2 + 8); // created, fired, and those of the last 16 that are not its own
}

TEST_CASE("pendingDeferreds() tells what this thread waits for, the oldest first, and nothing else") {
    CHECK(pendingDeferreds().empty());
    const Promise<void> unrecorded;
    const Debugging on;
    const int first = __LINE__ + 1;
    Promise<int> one;
    Promise<int> two;
    Deferred<int> waiting = plusOne(one.deferred().addCallback([](int number) { return number; }));
    std::vector<PendingDeferred> pending = pendingDeferreds();
    REQUIRE(pending.size() == 2);
    CHECK(pending[0].place.line() == first);
    CHECK(pending[1].place.line() == first + 1);
    CHECK(pending[0].age >= pending[1].age);
    CHECK(pending[1].age >= Duration::zero());

    std::size_t elsewhere = 1;
    std::thread([&] { elsewhere = pendingDeferreds().size(); }).join();
    CHECK(elsewhere == 0);

    one.callback(1);
    waiting.cancel();
    two.callback(2);
    CHECK(pendingDeferreds().empty());
    CHECK(resultOf(std::move(waiting)) == "2");
}

TEST_CASE("pendingDeferreds() tells of no step and no coroutine that a Deferred has made run") {
    const Debugging on;
    Promise<int> promise;
    std::vector<std::size_t> counts;
    const auto counting = [&counts](Deferred<int> awaited) -> Deferred<int> {
        const int number = co_await std::move(awaited);
        counts.push_back(pendingDeferreds().size());
        co_return number;
    };
    Deferred<int> counted = counting(counting(promise.deferred().addCallback([&](int number) {
        counts.push_back(pendingDeferreds().size());
        return number;
    })));
    CHECK(pendingDeferreds().size() == 1);
    promise.callback(1);
    CHECK(counts == std::vector<std::size_t>{0, 0, 0});
    CHECK(resultOf(std::move(counted)) == "1");
}

TEST_CASE("pendingDeferreds() tells of a coroutine that awaits what is no Deferred, until it has its result") {
    const Debugging on;
    Promise<int> promise;
    std::coroutine_handle<> suspended;
    const auto foreign = [&suspended](Deferred<int> first) -> Deferred<int> {
        const int number = co_await std::move(first);
        Manual manual{suspended};
        co_await manual;
        co_return number;
    };
    Deferred<int> waiting = foreign(promise.deferred());
    promise.callback(1);
    CHECK(pendingDeferreds().size() == 1);
    suspended.resume();
    CHECK(pendingDeferreds().empty());
    CHECK(resultOf(std::move(waiting)) == "1");
}

TEST_CASE("two threads that make and fire Deferreds at once are recorded each for itself") {
    const Debugging on;
    std::atomic<int> right{0};
    const auto work = [&right] {
        for (int i = 0; i < 1000; ++i) {
            Promise<int> promise;
            Deferred<int> deferred = plusOne(promise.deferred().addCallback([](int number) { return number; }));
            const bool one = pendingDeferreds().size() == 1;
            promise.callback(i);
            const bool none = pendingDeferreds().empty();
            const bool named = messageOfFiring(promise).find("debugging_test.cpp") != std::string::npos;
            if (one && none && named && resultOf(std::move(deferred)) == std::to_string(i + 1))
                ++right;
        }
    };
    std::thread other(work);
    work();
    other.join();
    CHECK(right == 2000);
}

TEST_CASE("with debugging, a Deferred that is fired on another thread than its own is logged, with both places") {
    const Debugging on;
    LogCapture logged;
    const int made = __LINE__ + 1;
    Promise<int> promise;
    Deferred<int> deferred = promise.deferred();
    int fired = 0;
    std::thread([&] {
        fired = __LINE__ + 1;
        promise.callback(1);
    }).join();
    CHECK(logged.count() == 1);
    CHECK(logged.contains("made on another thread (at " + placeIn(made) + ")"));
    CHECK(logged.contains("(fired at " + placeIn(fired) + ")"));
    CHECK(resultOf(std::move(deferred)) == "1");
    Promise<int> own;
    Deferred<int> quiet = own.deferred();
    own.callback(2);
    CHECK(logged.count() == 1);
}

TEST_CASE("what was recorded is forgotten with its Deferred, also when debugging was switched off before") {
    setDebugging(true);
    std::optional<Promise<int>> promise(std::in_place);
    Deferred<int> deferred = plusOne(promise->deferred());
    setDebugging(false);
    CHECK(pendingDeferreds().size() == 1);
    promise.reset();
    CHECK(resultOf(std::move(deferred)) == "BrokenPromiseError");
    CHECK(pendingDeferreds().empty());
}
