// A timestamp server inside of a host that can only be posted to: its loop takes functions from a queue, and has
// timers, and knows nothing of descriptors. A thread waits for the reactor's; all callbacks run in the host's.

#include "../support/program.hpp"
#include "../support/timestamp.hpp"

#include <reactor/embedding/thread.hpp>

#include <chrono>
#include <condition_variable>
#include <csignal>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

namespace {

/// The host: functions that were posted, from any thread, and one timer.
class Mailbox {
public:
    using Clock = std::chrono::steady_clock;

    void post(std::function<void()> f) {
        const std::lock_guard lock(mutex_);
        posted_.push_back(std::move(f));
        changed_.notify_one();
    }

    void every(std::chrono::milliseconds interval, std::function<void()> f) {
        interval_ = interval;
        tick_ = std::move(f);
        next_ = Clock::now() + interval;
    }

    /// Until `quit()`, which one of the functions calls.
    void run() {
        while (!quit_) {
            if (const std::function<void()> f = take())
                f();
            if (Clock::now() >= next_) {
                next_ += interval_;
                tick_();
            }
        }
    }

    void quit() { quit_ = true; }

private:
    /// The next, or none when it is time for the timer.
    std::function<void()> take() {
        std::unique_lock lock(mutex_);
        if (!changed_.wait_until(lock, next_, [this] { return !posted_.empty(); }))
            return nullptr;
        std::function<void()> f = std::move(posted_.front());
        posted_.pop_front();
        return f;
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::function<void()>> posted_;
    std::chrono::milliseconds interval_{};
    std::function<void()> tick_;
    Clock::time_point next_;
    bool quit_ = false;
};

/// Posts a function for the first of the signals that end a program. Before other threads are made, so that these take
/// none.
class SignalThread {
public:
    explicit SignalThread(std::function<void()> f) {
        sigset_t signals{};
        sigemptyset(&signals);
        for (const int signal : {SIGINT, SIGTERM, kEnd})
            sigaddset(&signals, signal);
        pthread_sigmask(SIG_BLOCK, &signals, nullptr);
        thread_ = std::thread([signals, f = std::move(f)] {
            int signal = 0;
            sigwait(&signals, &signal);
            if (signal != kEnd)
                f();
        });
    }
    SignalThread(const SignalThread&) = delete;
    SignalThread& operator=(const SignalThread&) = delete;
    ~SignalThread() {
        pthread_kill(thread_.native_handle(), kEnd); // nothing, when it has ended
        thread_.join();
    }

private:
    static constexpr int kEnd = SIGUSR1;

    std::thread thread_;
};

} // namespace

int main(int argc, char** argv) {
    examples::Program program("Tells the time, inside of a loop that takes functions from a queue.",
                              examples::Role::Server, 21567);
    int interval = 1000;
    program.option("--interval", interval, {1, 86'400'000}, "milliseconds of the host's timer");
    return program.run(argc, argv, [&](torsion::UvReactor& reactor) {
        Mailbox host;
        const SignalThread signals([&] { host.post([&] { examples::stop(reactor); }); });
        torsion::ThreadAdapter inside(reactor.embed(), [&](std::function<void()> f) { host.post(std::move(f)); });

        const auto server = std::make_shared<examples::TimestampServer>();
        program.listen(reactor, server);
        host.every(std::chrono::milliseconds(interval), [&] { server->printAnswered(); });

        // The host quits when the reactor has ended: everything is closed then.
        reactor.onStopped([&] { host.quit(); });
        reactor.start();
        host.run();
    });
}
