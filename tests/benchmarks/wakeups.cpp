/// What it costs to have a function called on a loop's thread by another thread: callFromThread against uv_async_send
/// and asio::post.
///
///     build/tests/benchmarks/wakeups [--rounds N]
///
/// - alone:  one call is posted, and the next when it was made: the loop is woken each time, and so is who posts;
/// - batch:  a thousand calls are posted as fast as it goes, then all are waited for. How often the loop is woken is
///           up to it.
///
/// A uv_async_t carries nothing: beside it there is what one writes to have callFromThread on libuv, a vector of
/// torsion::Function behind a mutex, swapped out when the loop is woken. Asio has a timer to wait for, else its thread
/// would not wait in epoll as one with connections does. All post the same lambda with 16 bytes.
///
/// Each figure is the median of the rounds, in nanoseconds a call; the three take turns in each. A ratio is the other's
/// time in Torsion's: above 1 Torsion is the faster. The lines "its CPU" have the processors' time of both threads,
/// which says more on a machine that is not quiet: there a wake-up takes what the scheduler likes. The
/// whole takes about 10 seconds; without Asio's headers its columns are left out.

#include "figures.hpp"

#include <reactor/function.hpp>
#include <reactor/libuv/uv_reactor.hpp>

#include <spdlog/fmt/fmt.h>
#include <uv.h>

#ifdef TORSION_WITH_ASIO
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#endif

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <future>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace {

using torsion::benchmarks::kWithAsio;
using torsion::benchmarks::median;
using torsion::benchmarks::processorTime;
using SteadyClock = std::chrono::steady_clock;

/// What is posted counts here; who posts waits for the count.
class Counter {
public:
    /// @param target where whoever waits is woken.
    void reached(std::uint64_t target) noexcept {
        if (++count_ == target) {
            told_.store(target, std::memory_order_release);
            told_.notify_one();
        }
    }
    void await(std::uint64_t target) noexcept {
        for (std::uint64_t now = told_.load(std::memory_order_acquire); now != target; now = told_.load())
            told_.wait(now, std::memory_order_acquire);
    }

private:
    std::uint64_t count_ = 0; // the loop's thread
    std::atomic<std::uint64_t> told_{0};
};

class TorsionLoop {
public:
    TorsionLoop() {
        std::promise<void> running;
        thread_ = std::thread([this, &running] {
            torsion::UvReactor reactor;
            remote_.emplace(reactor.remote());
            reactor.callWhenRunning([&] { running.set_value(); });
            stop_ = [&reactor] { reactor.stop(); };
            reactor.run();
        });
        running.get_future().wait();
    }
    ~TorsionLoop() {
        remote_->post([this] { stop_(); });
        thread_.join();
    }
    TorsionLoop(const TorsionLoop&) = delete;
    TorsionLoop& operator=(const TorsionLoop&) = delete;

    template <class F>
    void post(F f) {
        remote_->post(std::move(f));
    }

private:
    std::optional<torsion::Remote> remote_;
    torsion::Function<void()> stop_;
    std::thread thread_;
};

class UvLoop {
public:
    UvLoop() {
        uv_loop_init(&loop_);
        uv_async_init(&loop_, &async_, [](uv_async_t* async) { static_cast<UvLoop*>(async->data)->run(); });
        async_.data = this;
        thread_ = std::thread([this] { uv_run(&loop_, UV_RUN_DEFAULT); });
    }
    ~UvLoop() {
        post([this] { uv_close(reinterpret_cast<uv_handle_t*>(&async_), nullptr); });
        thread_.join();
        if (uv_loop_close(&loop_) != 0)
            std::abort();
    }
    UvLoop(const UvLoop&) = delete;
    UvLoop& operator=(const UvLoop&) = delete;

    template <class F>
    void post(F f) {
        {
            const std::lock_guard lock(mutex_);
            calls_.emplace_back(std::move(f));
        }
        uv_async_send(&async_);
    }

private:
    void run() {
        running_.clear();
        {
            const std::lock_guard lock(mutex_);
            running_.swap(calls_);
        }
        for (torsion::Function<void()>& call : running_)
            call();
    }

    uv_loop_t loop_;
    uv_async_t async_;
    std::mutex mutex_;
    std::vector<torsion::Function<void()>> calls_;
    std::vector<torsion::Function<void()>> running_;
    std::thread thread_;
};

#ifdef TORSION_WITH_ASIO
class AsioLoop {
public:
    AsioLoop() {
        timer_.async_wait([](const asio::error_code&) {});
        thread_ = std::thread([this] { loop_.run(); });
    }
    ~AsioLoop() {
        loop_.stop();
        thread_.join();
    }
    AsioLoop(const AsioLoop&) = delete;
    AsioLoop& operator=(const AsioLoop&) = delete;

    template <class F>
    void post(F f) {
        asio::post(loop_, std::move(f));
    }

private:
    asio::io_context loop_; // may be used by several threads
    asio::steady_timer timer_{loop_, std::chrono::hours(1)};
    std::thread thread_;
};
#endif

struct Workload {
    const char* name;
    std::uint64_t batch; // calls posted before they are waited for
    std::uint64_t batches;
};
constexpr std::array kWorkloads{Workload{"alone", 1, 1'000}, Workload{"batch", 1'000, 100}};

/// Nanoseconds a call, one figure a round: those that pass, and those of both threads on their processors.
struct Figures {
    std::vector<double> wall;
    std::vector<double> processor;
};

template <class Loop>
void measure(const Workload& work, Figures& figures) {
    Loop loop;
    Counter counter;
    std::uint64_t target = 0;
    const auto postBatch = [&] {
        target += work.batch;
        for (std::uint64_t i = 0; i < work.batch; ++i)
            loop.post([&counter, target] { counter.reached(target); });
        counter.await(target);
    };
    postBatch(); // the memory is there then
    const auto start = SteadyClock::now();
    const double processorStart = processorTime();
    for (std::uint64_t i = 0; i < work.batches; ++i)
        postBatch();
    const double processor = processorTime() - processorStart;
    const std::chrono::duration<double, std::nano> wall = SteadyClock::now() - start;
    const auto calls = static_cast<double>(work.batch * work.batches);
    figures.wall.push_back(wall.count() / calls);
    figures.processor.push_back(processor / calls);
}

void print(const char* name, const std::vector<double>& torsion, const std::vector<double>& uv,
           const std::vector<double>& asio) {
    const double ours = median(torsion);
    fmt::print("| {:<10} | {:>10.0f} | {:>16.0f} | {:>6.2f} |", name, ours, median(uv), median(uv) / ours);
    if (!asio.empty())
        fmt::print(" {:>13.0f} | {:>6.2f} |", median(asio), median(asio) / ours);
    fmt::print("\n");
    std::fflush(stdout);
}

void compare(const Workload& work, int rounds) {
    Figures torsion;
    Figures uv;
    Figures asio;
    for (int i = 0; i < rounds; ++i) {
        measure<TorsionLoop>(work, torsion);
        measure<UvLoop>(work, uv);
#ifdef TORSION_WITH_ASIO
        measure<AsioLoop>(work, asio);
#endif
    }
    print(work.name, torsion.wall, uv.wall, asio.wall);
    print("  its CPU", torsion.processor, uv.processor, asio.processor);
}

} // namespace

int main(int argc, char** argv) {
    int rounds = 15;
    if (argc == 3 && std::strcmp(argv[1], "--rounds") == 0)
        rounds = std::atoi(argv[2]);
    else if (argc != 1)
        rounds = 0;
    if (rounds < 1 || rounds > 1000) {
        std::fprintf(stderr, "usage: wakeups [--rounds N]\n");
        return 2;
    }
    fmt::print("| calls      | Torsion ns | uv_async_send ns | ratio  |{}\n",
               kWithAsio ? " asio::post ns | ratio  |" : "");
    fmt::print("|------------|-----------:|-----------------:|-------:|{}\n",
               kWithAsio ? "--------------:|-------:|" : "");
    for (const Workload& work : kWorkloads)
        compare(work, rounds);
    return 0;
}
