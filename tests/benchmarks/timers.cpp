/// What a callLater costs: a TimerQueue against one uv_timer_t, and one asio::steady_timer, for each call.
///
///     build/tests/benchmarks/timers [--most N]
///
/// With 1,000, 100,000 and 1,000,000 calls outstanding it measures
///
/// - schedule: the n calls are made, at random times within 17 minutes;
/// - reset:    random ones get another random time, sooner or later;
/// - put off:  random ones get a later time, as time-outs do;
/// - cancel:   all are cancelled, in random order;
/// - fire:     n calls, scheduled at random times within 250 ms, are made in one turn when all are due.
///
/// The time is virtual for the queue; libuv and Asio sleep once, outside of what is measured, until their timers are
/// due. All call a function that counts, and store the callable per call: for libuv there is an object with a
/// torsion::Function and a uv_timer_t, made with new and deleted in the close callback, which is the plain way to write
/// callLater on libuv; for Asio one with a torsion::Function and a steady_timer, deleted by who cancels it or by its
/// handler. What a cancellation leaves to the loop, libuv's closings and Asio's handlers, is run every 256 operations.
///
/// Each figure is the median of the repetitions, in nanoseconds of the processor an operation, which a machine that is
/// not quiet changes less than the time that passes; the three take turns. The random numbers are the same for all. A
/// ratio is the other's time in Torsion's. The whole takes about 30 seconds; without Asio's headers its columns are
/// left out.

#include "figures.hpp"

#include <reactor/core/timer_queue.hpp>

#include <spdlog/fmt/fmt.h>
#include <uv.h>

#ifdef TORSION_WITH_ASIO
#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#endif

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

namespace {

using torsion::benchmarks::kWithAsio;
using torsion::benchmarks::median;
using torsion::benchmarks::processorTime;
using namespace std::chrono_literals;
using Milliseconds = std::chrono::milliseconds;

constexpr std::size_t kSettleEvery = 256;
constexpr Milliseconds kFireWithin = 250ms;

std::uint64_t fired = 0;

class TorsionTimers final : private torsion::TimerQueue::Host {
public:
    using Handle = torsion::DelayedCall;

    Handle schedule(Milliseconds delay) {
        return queue_.schedule(time_ + delay, [] { ++fired; });
    }
    void reset(Handle& handle, Milliseconds delay) { handle.reset(delay); }
    void cancel(Handle& handle) { handle.cancel(); }
    void settle() {}
    void waitUntilDue() { time_ += 2 * kFireWithin; }
    void fire() {
        queue_.runDue(time_, [](torsion::Function<void()>& call) { call(); });
    }

private:
    torsion::TimePoint readTime() override { return time_; }

    torsion::TimePoint time_;
    torsion::TimerQueue queue_{*this};
};

class UvTimers {
    struct Timer {
        uv_timer_t handle;
        torsion::Function<void()> call;
    };

public:
    using Handle = Timer*;

    UvTimers() { uv_loop_init(&loop_); }
    ~UvTimers() {
        uv_run(&loop_, UV_RUN_NOWAIT);
        if (uv_loop_close(&loop_) != 0)
            std::abort();
    }
    UvTimers(const UvTimers&) = delete;
    UvTimers& operator=(const UvTimers&) = delete;

    Handle schedule(Milliseconds delay) {
        auto* timer = new Timer{.handle = {}, .call = [] { ++fired; }};
        uv_timer_init(&loop_, &timer->handle);
        timer->handle.data = timer;
        start(timer, delay);
        return timer;
    }
    void reset(Handle& timer, Milliseconds delay) { start(timer, delay); }
    void cancel(Handle& timer) { close(&timer->handle); }
    void settle() { uv_run(&loop_, UV_RUN_NOWAIT); }
    void waitUntilDue() { std::this_thread::sleep_for(2 * kFireWithin); }
    void fire() { uv_run(&loop_, UV_RUN_NOWAIT); }

private:
    static void start(Timer* timer, Milliseconds delay) {
        uv_timer_start(
            &timer->handle,
            [](uv_timer_t* handle) {
                static_cast<Timer*>(handle->data)->call();
                close(handle);
            },
            static_cast<std::uint64_t>(delay.count()), 0);
    }
    static void close(uv_timer_t* handle) {
        uv_close(reinterpret_cast<uv_handle_t*>(handle),
                 [](uv_handle_t* closed) { delete static_cast<Timer*>(closed->data); });
    }

    uv_loop_t loop_;
};

#ifdef TORSION_WITH_ASIO
class AsioTimers {
    struct Timer {
        asio::steady_timer timer;
        torsion::Function<void()> call;
    };

public:
    using Handle = Timer*;

    Handle schedule(Milliseconds delay) {
        auto* timer = new Timer{.timer = asio::steady_timer(loop_), .call = [] { ++fired; }};
        start(timer, delay);
        return timer;
    }
    void reset(Handle& timer, Milliseconds delay) {
        start(timer, delay); // its earlier handler hears of that
        if (++resets_ % kSettleEvery == 0)
            settle();
    }
    void cancel(Handle& timer) { delete timer; }
    void settle() { loop_.poll(); }
    void waitUntilDue() { std::this_thread::sleep_for(2 * kFireWithin); }
    void fire() { loop_.poll(); }

private:
    static void start(Timer* timer, Milliseconds delay) {
        timer->timer.expires_after(delay);
        timer->timer.async_wait([timer](const asio::error_code& error) {
            if (error)
                return;
            timer->call();
            delete timer;
        });
    }

    asio::io_context loop_{1};
    asio::executor_work_guard<asio::io_context::executor_type> work_{loop_.get_executor()};
    std::size_t resets_ = 0;
};
#endif

constexpr std::array kOperations{"schedule", "reset", "put off", "cancel", "fire"};

/// Nanoseconds an operation, by operation: one figure a repetition.
using Figures = std::array<std::vector<double>, kOperations.size()>;

template <class F>
double measure(std::size_t operations, F&& f) {
    const double start = processorTime();
    f();
    return (processorTime() - start) / static_cast<double>(operations);
}

/// @param size how many calls are outstanding.
template <class Timers>
void repeat(std::size_t size, std::uint32_t seed, Figures& figures) {
    Timers timers;
    std::mt19937 random(seed);
    const auto someDelay = [&random] { return 10min + Milliseconds(random() & 0xfffff); };
    std::vector<typename Timers::Handle> handles(size);
    figures[0].push_back(measure(size, [&] {
        for (auto& handle : handles)
            handle = timers.schedule(someDelay());
    }));
    const std::size_t resets = std::max<std::size_t>(size, 100'000);
    figures[1].push_back(measure(resets, [&] {
        for (std::size_t i = 0; i < resets; ++i)
            timers.reset(handles[random() % size], someDelay());
    }));
    Milliseconds later = 30min;
    figures[2].push_back(measure(resets, [&] {
        for (std::size_t i = 0; i < resets; ++i)
            timers.reset(handles[random() % size], later++);
    }));
    std::shuffle(handles.begin(), handles.end(), random);
    figures[3].push_back(measure(size, [&] {
        for (std::size_t i = 0; i < size; ++i) {
            timers.cancel(handles[i]);
            if ((i + 1) % kSettleEvery == 0)
                timers.settle();
        }
        timers.settle();
    }));
    handles.clear();
    const std::uint64_t before = fired;
    for (std::size_t i = 0; i < size; ++i)
        timers.schedule(1ms + Milliseconds(random() % static_cast<std::uint32_t>(kFireWithin.count())));
    timers.waitUntilDue();
    figures[4].push_back(measure(size, [&] { timers.fire(); }));
    if (fired != before + size) {
        std::fprintf(stderr, "timers: not all calls were made\n");
        std::exit(1);
    }
}

void compare(std::size_t size, int repetitions) {
    Figures torsion;
    Figures uv;
    Figures asio;
    for (int i = 0; i < repetitions; ++i) {
        const auto seed = static_cast<std::uint32_t>(i + 1);
        repeat<TorsionTimers>(size, seed, torsion);
        repeat<UvTimers>(size, seed, uv);
#ifdef TORSION_WITH_ASIO
        repeat<AsioTimers>(size, seed, asio);
#endif
    }
    for (std::size_t i = 0; i < kOperations.size(); ++i) {
        const double ours = median(torsion[i]);
        const double theirs = median(uv[i]);
        fmt::print("| {:>11} | {:<8} | {:>10.0f} | {:>13.0f} | {:>6.1f} |", size, kOperations[i], ours, theirs,
                   theirs / ours);
        if (!asio[i].empty())
            fmt::print(" {:>15.0f} | {:>6.1f} |", median(asio[i]), median(asio[i]) / ours);
        fmt::print("\n");
    }
    std::fflush(stdout);
}

} // namespace

int main(int argc, char** argv) {
    std::size_t most = 1'000'000;
    if (argc == 3 && std::strcmp(argv[1], "--most") == 0) {
        most = std::strtoul(argv[2], nullptr, 10);
    } else if (argc != 1) {
        std::fprintf(stderr, "usage: timers [--most N]\n");
        return 2;
    }
    fmt::print("| outstanding | what     | Torsion ns | uv_timer_t ns | ratio  |{}\n",
               kWithAsio ? " steady_timer ns | ratio  |" : "");
    fmt::print("|------------:|----------|-----------:|--------------:|-------:|{}\n",
               kWithAsio ? "----------------:|-------:|" : "");
    for (const std::size_t size : {std::size_t{1'000}, std::size_t{100'000}, std::size_t{1'000'000}}) {
        if (size <= most)
            compare(size, size == 1'000'000 ? 3 : 5);
    }
    return 0;
}
