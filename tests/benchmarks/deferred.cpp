/// What a Deferred and a coroutine cost: nanoseconds and allocations (operator new, which a pool saves), against
/// std::future and, where it is installed, Asio's awaitables.
///
///     build/tests/benchmarks/deferred_costs [--benchmark_filter=...]
///
/// Every figure is for one result: made, handed on, looked at, destroyed. Awaited results are figured per co_await of a
/// coroutine that awaits many, so that its own start does not count.

#include <reactor/coroutine.hpp>
#include <reactor/deferred.hpp>

#include "support/alloc_count.hpp"
#include <benchmark/benchmark.h>

#include <future>
#include <optional>
#include <utility>

#ifdef TORSION_WITH_ASIO
#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#endif

namespace {

using namespace torsion;

/// Counts what is allocated while it lives, per iteration and divided by `per`.
class Allocations {
public:
    explicit Allocations(benchmark::State& state, double per = 1) : state_(state), per_(per) {}
    ~Allocations() {
        state_.counters["allocations"] =
            benchmark::Counter(static_cast<double>(count_.get()) / per_, benchmark::Counter::kAvgIterations);
    }
    Allocations(const Allocations&) = delete;
    Allocations& operator=(const Allocations&) = delete;

private:
    benchmark::State& state_;
    double per_;
    test::AllocationCount count_;
};

void readyCallback(benchmark::State& state) {
    const Allocations counted(state);
    for (auto _ : state) {
        Deferred<int> deferred = succeed(1).addCallback([](int number) { return number + 1; });
        benchmark::DoNotOptimize(deferred);
    }
}
BENCHMARK(readyCallback);

void pendingCallback(benchmark::State& state) {
    const Allocations counted(state);
    for (auto _ : state) {
        Promise<int> promise;
        Deferred<int> deferred = promise.deferred().addCallback([](int number) { return number + 1; });
        promise.callback(1);
        benchmark::DoNotOptimize(deferred);
    }
}
BENCHMARK(pendingCallback);

void pendingWithoutSteps(benchmark::State& state) {
    const Allocations counted(state);
    for (auto _ : state) {
        Promise<int> promise;
        Deferred<int> deferred = promise.deferred();
        promise.callback(1);
        benchmark::DoNotOptimize(deferred);
    }
}
BENCHMARK(pendingWithoutSteps);

void chainOf1000(benchmark::State& state) {
    const Allocations counted(state);
    for (auto _ : state) {
        Promise<int> promise;
        Deferred<int> deferred = promise.deferred();
        for (int i = 0; i < 1000; ++i)
            deferred = std::move(deferred).addCallback([](int number) { return number + 1; });
        promise.callback(1);
        benchmark::DoNotOptimize(deferred);
    }
}
BENCHMARK(chainOf1000);

Deferred<void> awaitReady(benchmark::State& state) {
    const Allocations counted(state);
    for (auto _ : state) {
        int number = co_await succeed(1);
        benchmark::DoNotOptimize(number);
    }
}

void readyCoAwait(benchmark::State& state) {
    awaitReady(state).detach();
}
BENCHMARK(readyCoAwait);

Deferred<void> awaitPending(std::optional<Promise<int>>& next, int count) {
    for (int i = 0; i < count; ++i) {
        Promise<int>& promise = next.emplace();
        int number = co_await promise.deferred();
        benchmark::DoNotOptimize(number);
    }
}

void pendingCoAwait(benchmark::State& state) {
    constexpr int kCount = 1000;
    const Allocations counted(state, kCount);
    std::optional<Promise<int>> next;
    for (auto _ : state) {
        Deferred<void> deferred = awaitPending(next, kCount);
        for (int i = 0; i < kCount; ++i) {
            Promise<int> promise = std::move(*next);
            promise.callback(i);
        }
        benchmark::DoNotOptimize(deferred);
    }
    state.SetItemsProcessed(state.iterations() * kCount);
}
BENCHMARK(pendingCoAwait);

Deferred<int> child(int number) {
    co_return number;
}

Deferred<void> awaitChildren(benchmark::State& state) {
    const Allocations counted(state);
    for (auto _ : state) {
        int number = co_await child(1);
        benchmark::DoNotOptimize(number);
    }
}

void coAwaitOfACoroutine(benchmark::State& state) {
    awaitChildren(state).detach();
}
BENCHMARK(coAwaitOfACoroutine);

void stdFuture(benchmark::State& state) {
    const Allocations counted(state);
    for (auto _ : state) {
        std::promise<int> promise;
        std::future<int> future = promise.get_future();
        promise.set_value(1);
        int number = future.get();
        benchmark::DoNotOptimize(number);
    }
}
BENCHMARK(stdFuture);

#ifdef TORSION_WITH_ASIO

asio::awaitable<int> asioChild(int number) {
    co_return number;
}

asio::awaitable<void> awaitAsioChildren(benchmark::State& state) {
    const Allocations counted(state);
    for (auto _ : state) {
        int number = co_await asioChild(1);
        benchmark::DoNotOptimize(number);
    }
}

void asioAwaitOfACoroutine(benchmark::State& state) {
    asio::io_context context;
    asio::co_spawn(context, awaitAsioChildren(state), asio::detached);
    context.run();
}
BENCHMARK(asioAwaitOfACoroutine);

#endif

} // namespace

BENCHMARK_MAIN();
