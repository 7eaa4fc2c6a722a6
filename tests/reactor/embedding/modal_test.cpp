// The costs of a dialog and of idleness, on a real clock: in the suite "long".

#include "support/hosted.hpp"
#include "support/raw_socket.hpp"

#include <reactor/looping_call.hpp>

#include <doctest/doctest.h>

#include <poll.h>
#include <time.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <thread>

using namespace std::chrono_literals;
using namespace torsion;
using namespace torsion::test;

namespace {

using SteadyClock = std::chrono::steady_clock;

std::chrono::nanoseconds threadTime() {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

char letterAt(std::size_t place) {
    return static_cast<char>('a' + place % 23);
}

/// A peer that sends as quickly as it is allowed to, on a thread of its own, until it is told to stop.
class Sender {
public:
    explicit Sender(RawSocket socket) : socket_(std::move(socket)), thread_([this] { run(); }) {}
    ~Sender() { stop(); }
    Sender(const Sender&) = delete;
    Sender& operator=(const Sender&) = delete;

    /// @returns how many bytes it has sent in all.
    std::size_t stop() {
        stopped_ = true;
        if (thread_.joinable())
            thread_.join();
        return sent_;
    }

private:
    void run() {
        while (!stopped_) {
            std::string piece;
            for (std::size_t i = 0; i < 1000; ++i)
                piece += letterAt(sent_ + i);
            sent_ += socket_.send(piece);
            std::this_thread::sleep_for(200us);
        }
    }

    RawSocket socket_;
    std::atomic<bool> stopped_{false};
    std::atomic<std::size_t> sent_{0};
    std::thread thread_;
};

/// A peer that sends a byte every few milliseconds and counts what comes back, on a thread of its own.
class Asker {
public:
    explicit Asker(RawSocket socket) : socket_(std::move(socket)), thread_([this] { run(); }) {}
    ~Asker() {
        stopped_ = true;
        thread_.join();
    }
    Asker(const Asker&) = delete;
    Asker& operator=(const Asker&) = delete;

    std::size_t answers() const { return answers_; }

private:
    void run() {
        while (!stopped_) {
            socket_.send("b");
            std::this_thread::sleep_for(5ms);
            answers_ += socket_.receive().size();
        }
    }

    RawSocket socket_;
    std::atomic<bool> stopped_{false};
    std::atomic<std::size_t> answers_{0};
    std::thread thread_;
};

/// Checks and counts the letters that come; opens a dialog at the first ones.
class Checking : public Protocol {
public:
    explicit Checking(std::function<void()> dialog) : dialog_(std::move(dialog)) {}
    void dataReceived(std::string_view data) override {
        if (std::exchange(inside_, true))
            nested = true;
        for (const char letter : data)
            inOrder = inOrder && letter == letterAt(received++);
        if (dialog_)
            std::exchange(dialog_, nullptr)();
        inside_ = false;
    }

    std::size_t received = 0;
    bool inOrder = true;
    bool nested = false;

private:
    std::function<void()> dialog_;
    bool inside_ = false;
};

std::uint16_t serve(Hosted& hosted, std::shared_ptr<Protocol> protocol) {
    return hosted.reactor.listenTCP(0, HookedFactory::of(std::move(protocol)), {.interface = "127.0.0.1"})
        ->getHost()
        .port();
}

} // namespace

TEST_SUITE("long") {
    TEST_CASE(
        "H12: half a second of dialog in A's dataReceived: timed calls, B's echoes, no byte lost, hardly any CPU") {
        for (const EmbedOptions& options : kEmbeddings) {
            CAPTURE(options.singleDescriptor);
            Hosted hosted(options);
            int ticks = 0;
            LoopingCall ticking(hosted.reactor, [&] { ++ticks; });
            ticking.start(20ms).detach();
            const auto bPort = serve(hosted, std::make_shared<HookedProtocol>(echoing()));
            Asker b(RawSocket::connectTo(bPort));
            bool over = false;
            const auto a = std::make_shared<Checking>([&] {
                const int ticksBefore = ticks;
                const std::size_t answersBefore = b.answers();
                const auto timeBefore = threadTime();
                const auto isServed = [&] { return ticks >= ticksBefore + 20 && b.answers() >= answersBefore + 20; };
                const auto begin = SteadyClock::now();
                const auto age = [&] { return SteadyClock::now() - begin; };
                while (age() < 500ms || (!isServed() && age() < 10s)) // a busy machine is late
                    hosted.host.turn({}, 20ms);
                CHECK(isServed());
                CHECK(threadTime() - timeBefore < age() / 5);
                over = true;
            });
            const auto aPort = serve(hosted, a);
            Sender sender(RawSocket::connectTo(aPort));
            REQUIRE(hosted.until([&] { return over; }));
            const std::size_t sent = sender.stop();
            CHECK(hosted.until([&] { return a->received == sent; }));
            CHECK(a->inOrder);
            CHECK_FALSE(a->nested);
            ticking.stop();
        }
    }

    TEST_CASE("an idle reactor with a port, a connection and a call to come is dispatched not once in two seconds") {
        for (const EmbedOptions& options : kEmbeddings) {
            Hosted hosted(options);
            const HostedPair pair(hosted, echoing());
            hosted.reactor.callLater(60s, [] {});
            hosted.settle();
            const auto before = threadTime();
            const auto end = SteadyClock::now() + 2s;
            const std::uint64_t dispatches = hosted.embedding().dispatches();
            pollfd watched{hosted.embedding().fd(), POLLIN, 0};
            while (SteadyClock::now() < end) {
                const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - SteadyClock::now());
                if (::poll(&watched, 1, pollTimeout(hosted.embedding(), left)) > 0 ||
                    hosted.embedding().timeout() == 0ms)
                    hosted.embedding().dispatch();
            }
            CHECK(hosted.embedding().dispatches() == dispatches);
            CHECK(threadTime() - before < 10ms);
        }
    }
}
