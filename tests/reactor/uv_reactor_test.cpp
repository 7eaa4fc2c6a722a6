#include "support/log_capture.hpp"

#include <reactor/errors.hpp>
#include <reactor/failure.hpp>
#include <reactor/libuv/uv_reactor.hpp>
#include <reactor/protocol.hpp>

#include <doctest/doctest.h>
#include <uv.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

using namespace torsion;
using namespace std::chrono_literals;
using torsion::test::LogCapture;

namespace {

class Echo : public Protocol {
    void dataReceived(std::string_view data) override { transport->write(data); }
};

class Asker : public Protocol {
public:
    explicit Asker(std::vector<std::string>* log) : log_(log) {}

    void connectionMade() override { transport->write("hello"); }
    void dataReceived(std::string_view data) override {
        received_ += data;
        if (received_ != "hello")
            return;
        log_->push_back(received_);
        transport->loseConnection();
    }
    void connectionLost(const Failure& reason) override {
        log_->push_back(reason.name());
        transport->reactor().stop();
    }

private:
    std::vector<std::string>* log_;
    std::string received_;
};

/// Notes its own address once the connection is over, and not before.
class LateAsker : public Protocol {
public:
    LateAsker(Address* host, bool early) : host_(host), early_(early) {}

    void connectionMade() override {
        if (early_)
            static_cast<void>(transport->getHost());
    }
    void connectionLost(const Failure&) override {
        *host_ = transport->getHost();
        transport->reactor().stop();
    }

private:
    Address* host_;
    bool early_;
};

/// Connects and closes at once.
class Passing : public Protocol {
    void connectionMade() override { transport->loseConnection(); }
};

/// A timer of the user's own on the reactor's loop.
class OwnTimer {
public:
    OwnTimer(uv_loop_t* loop, std::function<void()> f) : block_(new Block{{}, std::move(f)}) {
        uv_timer_init(loop, &block_->timer);
        block_->timer.data = block_;
        uv_timer_start(
            &block_->timer, [](uv_timer_t* timer) { static_cast<Block*>(timer->data)->f(); }, 1, 0);
    }
    ~OwnTimer() {
        uv_close(reinterpret_cast<uv_handle_t*>(&block_->timer),
                 [](uv_handle_t* handle) { delete static_cast<Block*>(handle->data); });
    }

private:
    struct Block {
        uv_timer_t timer;
        std::function<void()> f;
    };
    Block* block_;
};

/// Lets time pass, the smallest that the system's clock knows or more.
void spin(std::chrono::microseconds time = 1us) {
    const auto began = std::chrono::steady_clock::now();
    while (std::chrono::steady_clock::now() <= began + time)
        continue;
}

} // namespace

TEST_CASE("run() carries an echo from connectionMade to connectionLost, in both dispatch modes, again and again") {
    for (const Dispatch dispatch : {Dispatch::Direct, Dispatch::TwoPhase}) {
        UvReactor reactor(ReactorOptions{.dispatch = dispatch});
        for (int round = 0; round < 2; ++round) {
            std::vector<std::string> log;
            const auto port = reactor.listenTCP(0, Factory::forProtocol<Echo>(), {.interface = "127.0.0.1"});
            reactor.connectTCP("127.0.0.1", port->getHost().port(), ClientFactory::forProtocol<Asker>(&log));
            reactor.run();
            CHECK(log == std::vector<std::string>{"hello", "ConnectionDone"});
            CHECK(reactor.stats().connections == 0);
            CHECK_FALSE(port->isListening());
        }
    }
}

TEST_CASE("what the user's own handle on the reactor's loop asks for is done though the loop was about to wait") {
    UvReactor reactor;
    std::vector<std::string> log;
    const auto port = reactor.listenTCP(0, Factory::forProtocol<Echo>(), {.interface = "127.0.0.1"});
    std::shared_ptr<Protocol> idle;
    const auto keep = ClientFactory::fromFunction([&](const Address&) { return idle = std::make_shared<Protocol>(); });
    reactor.connectTCP("127.0.0.1", port->getHost().port(), keep);
    const OwnTimer timer(reactor.loop(), [&] {
        log.emplace_back("timer");
        reactor.callLater(0s, [&] {
            log.emplace_back("called");
            reactor.stop();
        });
    });
    reactor.run();
    CHECK(log == std::vector<std::string>{"timer", "called"});
}

TEST_CASE("getHost in connectionLost: the connection's own address when it was asked before, else the port's") {
    for (const bool early : {false, true}) {
        UvReactor reactor;
        Address host;
        const auto port = reactor.listenTCP(0, Factory::forProtocol<LateAsker>(&host, early));
        reactor.connectTCP("127.0.0.1", port->getHost().port(), ClientFactory::forProtocol<Passing>());
        reactor.run();
        CHECK(host.host() == (early ? "127.0.0.1" : "0.0.0.0"));
        CHECK(host.port() == port->getHost().port());
    }
}

TEST_CASE("a handle that a user closes on a reactor's own loop is waited for at the reactor's end") {
    LogCapture log;
    uv_timer_t timer;
    bool closed = false;
    {
        UvReactor reactor;
        uv_timer_init(reactor.loop(), &timer);
        timer.data = &closed;
        uv_close(reinterpret_cast<uv_handle_t*>(&timer),
                 [](uv_handle_t* handle) { *static_cast<bool*>(handle->data) = true; });
    }
    CHECK(closed);
    CHECK(log.count(spdlog::level::err) == 0);
}

TEST_CASE("a reactor's own loop outlives it while a user's handle is open, which is logged with the handle's type") {
    LogCapture log;
    uv_timer_t timer;
    uv_idle_t idle;
    uv_loop_t* loop = nullptr;
    {
        UvReactor reactor;
        loop = reactor.loop();
        uv_timer_init(loop, &timer);
        uv_timer_start(
            &timer, [](uv_timer_t*) {}, 3'600'000, 0);
        uv_idle_init(loop, &idle);
    }
    CHECK(log.count(spdlog::level::err) == 1);
    CHECK((log.contains("timer, idle") || log.contains("idle, timer")));
    uv_close(reinterpret_cast<uv_handle_t*>(&timer), nullptr);
    uv_close(reinterpret_cast<uv_handle_t*>(&idle), nullptr);
    uv_run(loop, UV_RUN_DEFAULT);
    CHECK(uv_loop_close(loop) == 0);
}

TEST_CASE("S-133: now() goes on between turns, though no turn comes") {
    for (const bool turned : {false, true}) {
        UvReactor reactor;
        if (turned)
            reactor.iterate();
        const TimePoint before = reactor.now();
        spin();
        CHECK(reactor.now() > before);
        reactor.callLater(1h, [] {});
        const TimePoint scheduled = reactor.now();
        spin();
        CHECK(reactor.now() > scheduled);
    }
}

TEST_CASE(
    "S-133: now() stands still within a callback though time passes there, and though calls are counted from then") {
    UvReactor reactor;
    int calls = 0;
    const auto check = [&] {
        ++calls;
        const TimePoint begin = reactor.now();
        spin();
        CHECK(reactor.callLater(1h, [] {}).getTime() > begin + 1h);
        CHECK(reactor.now() == begin);
    };
    reactor.callLater(0s, check);
    reactor.callFromThread(check);
    for (int i = 0; i < 100 && calls < 2; ++i)
        reactor.iterate(1ms);
    CHECK(calls == 2);
}

TEST_CASE("S-133: now() goes on over a wait before which the user's own handle has asked for it") {
    for (const Dispatch dispatch : {Dispatch::Direct, Dispatch::TwoPhase}) {
        UvReactor reactor(ReactorOptions{.dispatch = dispatch});
        TimePoint before;
        TimePoint after;
        std::thread other;
        const OwnTimer timer(reactor.loop(), [&] {
            before = reactor.now();
            other = std::thread([&, remote = reactor.remote()] {
                spin(2ms);
                remote.post([&] {
                    after = reactor.now();
                    reactor.stop();
                });
            });
        });
        reactor.run();
        other.join();
        CHECK(after - before >= 2ms);
    }
}

TEST_CASE("a call is made though an event came in the millisecond before it, and none after") {
    UvReactor reactor;
    int left = 300;
    std::thread other;
    std::function<void()> next = [&] {
        if (other.joinable())
            other.join();
        if (--left == 0)
            return reactor.stop();
        reactor.callLater(1ms, [&] { next(); });
        other = std::thread([remote = reactor.remote(), wait = left * 3us]() mutable {
            const auto begin = std::chrono::steady_clock::now();
            while (std::chrono::steady_clock::now() < begin + wait)
                std::this_thread::yield();
            remote.post([] {});
        });
    };
    reactor.callWhenRunning([&] { next(); });
    reactor.run();
    CHECK(left == 0);
}
