#include <reactor/coroutine.hpp>
#include <reactor/deferred.hpp>
#include <reactor/errors.hpp>

#include "support/deferred_result.hpp"
#include "support/log_capture.hpp"
#include <doctest/doctest.h>

#include <coroutine>
#include <exception>
#include <memory>
#include <optional>
#include <utility>

using namespace torsion;
using namespace torsion::test;

namespace {

/// A task as other libraries have it: lazy, awaited once, resumed by symmetric transfer.
class ForeignTask {
public:
    struct promise_type {
        ForeignTask get_return_object() { return ForeignTask(Handle::from_promise(*this)); }
        std::suspend_always initial_suspend() noexcept { return {}; }
        auto final_suspend() noexcept {
            struct Final {
                bool await_ready() noexcept { return false; }
                std::coroutine_handle<> await_suspend(Handle handle) noexcept {
                    const std::coroutine_handle<> next = handle.promise().continuation;
                    return next ? next : std::noop_coroutine();
                }
                void await_resume() noexcept {}
            };
            return Final();
        }
        void return_value(int result) { value = result; }
        void unhandled_exception() { error = std::current_exception(); }

        int value = 0;
        std::exception_ptr error;
        std::coroutine_handle<> continuation;
    };
    using Handle = std::coroutine_handle<promise_type>;

    explicit ForeignTask(Handle handle) noexcept : handle_(handle) {}
    ForeignTask(ForeignTask&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
    ForeignTask& operator=(ForeignTask&&) = delete;
    ~ForeignTask() {
        if (handle_)
            handle_.destroy();
    }

    bool await_ready() const noexcept { return handle_.done(); }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> continuation) noexcept {
        handle_.promise().continuation = continuation;
        return handle_;
    }
    int await_resume() const {
        if (handle_.promise().error)
            std::rethrow_exception(handle_.promise().error);
        return handle_.promise().value;
    }

    void start() { handle_.resume(); }
    bool done() const { return handle_.done(); }

private:
    Handle handle_;
};

ForeignTask foreignPlusOne(Deferred<int> number) {
    co_return co_await std::move(number) + 1;
}

Deferred<int> oursPlusOne(ForeignTask task) {
    co_return co_await task + 1;
}

/// Resumed by hand, as by some other loop.
struct Gate {
    std::coroutine_handle<> waiting;

    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> handle) noexcept { waiting = handle; }
    void await_resume() const noexcept {}
};

} // namespace

TEST_CASE("a Deferred is awaited in a coroutine of another library") {
    Promise<int> promise;
    ForeignTask task = foreignPlusOne(promise.deferred());
    task.start();
    CHECK_FALSE(task.done());
    promise.callback(4);
    CHECK(task.done());
    CHECK(task.await_resume() == 5);

    ForeignTask ready = foreignPlusOne(succeed(1));
    ready.start();
    CHECK(ready.await_resume() == 2);
}

TEST_CASE("a failure is thrown in a coroutine of another library, and is handled by that") {
    LogCapture logged;
    Promise<int> promise;
    ForeignTask task = foreignPlusOne(promise.deferred());
    task.start();
    promise.errback(Failure::of<UserError>());
    CHECK_THROWS_AS(task.await_resume(), UserError);
    CHECK(logged.count() == 0);
}

TEST_CASE("an awaitable of another library is awaited in ours") {
    CHECK(valueOf(oursPlusOne(foreignPlusOne(succeed(1)))) == 3);
    Promise<int> promise;
    Deferred<int> deferred = oursPlusOne(foreignPlusOne(promise.deferred()));
    CHECK_FALSE(deferred.hasResult());
    promise.callback(10);
    CHECK(valueOf(std::move(deferred)) == 12);

    Promise<int> failing;
    Deferred<int> other = oursPlusOne(foreignPlusOne(failing.deferred()));
    failing.errback(Failure::of<UserError>());
    CHECK(resultOf(std::move(other)) == "UserError");
}

TEST_CASE("a coroutine of another library that is destroyed while it awaits is not resumed") {
    LogCapture logged;
    Promise<int> promise;
    {
        ForeignTask task = foreignPlusOne(promise.deferred());
        task.start();
    }
    promise.errback(Failure::of<UserError>("nobody waits"));
    CHECK(logged.count("Unhandled error in Deferred: UserError: nobody waits") == 1);
}

TEST_CASE("ours, resumed by another loop, runs the steps that wait for it") {
    Gate gate;
    auto through = [](Gate& closed) -> Deferred<int> {
        co_await closed;
        co_return 3;
    };
    auto plusOne = [](Deferred<int> number) -> Deferred<int> { co_return co_await std::move(number) + 1; };
    Deferred<int> deferred = plusOne(through(gate)).addCallback([](int number) { return number * 10; });
    gate.waiting.resume();
    CHECK(valueOf(std::move(deferred)) == 40);
}

TEST_CASE("cancelled while it waits for another library's awaitable, it is cancelled at the next Deferred") {
    Gate gate;
    Promise<int> promise;
    auto through = [](Gate& closed, Deferred<int> next) -> Deferred<int> {
        co_await closed;
        co_return co_await std::move(next);
    };
    Deferred<int> deferred = through(gate, promise.deferred());
    deferred.cancel();
    CHECK_FALSE(deferred.hasResult());
    gate.waiting.resume();
    CHECK(promise.isFired());
    CHECK(resultOf(std::move(deferred)) == "CancelledError");
}

TEST_CASE("S-162: ours and others', awaiting each other in turn, do not run one inside the other for ever") {
    constexpr int kPairs = 20'000;
    Promise<int> promise;
    Deferred<int> deferred = promise.deferred();
    for (int i = 0; i < kPairs; ++i)
        deferred = oursPlusOne(foreignPlusOne(std::move(deferred)));
    promise.callback(0);
    CHECK(valueOf(std::move(deferred)) == 2 * kPairs);
}

TEST_CASE("an exception out of a coroutine of another library stays out of the chain") {
    struct Rethrows {
        struct promise_type {
            Rethrows get_return_object() { return Rethrows(std::coroutine_handle<promise_type>::from_promise(*this)); }
            std::suspend_never initial_suspend() noexcept { return {}; }
            std::suspend_always final_suspend() noexcept { return {}; }
            void return_void() {}
            void unhandled_exception() { throw; }
        };
        explicit Rethrows(std::coroutine_handle<promise_type> own) noexcept : handle(own) {}
        Rethrows(const Rethrows&) = delete;
        Rethrows& operator=(const Rethrows&) = delete;
        ~Rethrows() { handle.destroy(); }
        std::coroutine_handle<promise_type> handle;
    };
    LogCapture logged;
    Promise<int> promise;
    const Rethrows coroutine = [](Deferred<int> number) -> Rethrows {
        co_await std::move(number);
        throw NoProtocol();
    }(promise.deferred());
    CHECK_NOTHROW(promise.callback(1));
    CHECK(logged.count("An exception left a coroutine that had awaited a Deferred: NoProtocol") == 1);
}
