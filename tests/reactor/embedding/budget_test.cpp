// A budget bounds each phase of a dispatch; and what a host hears when there is always more to do.

#include "support/hosted.hpp"
#include "support/raw_socket.hpp"

#include <doctest/doctest.h>

#include <uv.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using namespace torsion;
using namespace torsion::test;

namespace {

/// A port whose protocols take longer than any budget to be told of their beginning, or of their end.
struct SlowServer {
    explicit SlowServer(Hosted& hosted)
        : port(hosted.reactor.listenTCP(
              0,
              HookedFactory::make({.build =
                                       [this, &hosted] {
                                           all.push_back(std::make_shared<HookedProtocol>(
                                               ProtocolHooks{.made = [this, &hosted](auto&) { count(hosted, made); },
                                                             .lost = [this, &hosted](auto&) { count(hosted, lost); }}));
                                           return all.back();
                                       }}),
              {.interface = "127.0.0.1"})) {}

    static void count(Hosted& hosted, int& counter) {
        ++counter;
        work(hosted.reactor, 5us);
    }
    void connect(int n) {
        for (int i = 0; i < n; ++i)
            peers.push_back(RawSocket::connectTo(port->getHost().port()));
    }

    std::vector<std::shared_ptr<HookedProtocol>> all;
    std::vector<RawSocket> peers;
    int made = 0;
    int lost = 0;
    std::shared_ptr<ListeningPort> port;
};

constexpr int kMany = 20;

} // namespace

TEST_CASE("H19: a budget bounds how many connections are accepted, and how many are told of their end") {
    for (const bool single : {false, true}) {
        Hosted hosted({.singleDescriptor = single, .budget = 1us});
        SlowServer server(hosted);
        server.connect(kMany);
        for (int i = 0; i < 1000 && server.made < kMany; ++i) {
            const int before = server.made;
            hosted.embedding().dispatch();
            CHECK(server.made <= before + 1);
        }
        REQUIRE(server.made == kMany);
        for (const auto& each : server.all)
            each->transport->abortConnection();
        for (int i = 0; i < 1000 && server.lost < kMany; ++i) {
            const int before = server.lost;
            CHECK(hosted.wakes());
            hosted.embedding().dispatch();
            CHECK(server.lost <= before + 1);
        }
        CHECK(server.lost == kMany);
        hosted.settle();
        CHECK_FALSE(hosted.wakes());
    }
}

TEST_CASE("H19: a reactor that ends, or stops, tells those too that a budget has left over") {
    for (const bool byStop : {false, true}) {
        auto hosted = std::make_unique<Hosted>(EmbedOptions{.budget = 1us});
        SlowServer server(*hosted);
        hosted->reactor.start();
        server.connect(kMany);
        REQUIRE(hosted->until([&] { return server.made == kMany; }));
        for (const auto& each : server.all)
            each->transport->abortConnection();
        hosted->embedding().dispatch();
        CHECK(server.lost == 1);
        if (byStop) {
            hosted->reactor.stop();
            hosted->host.run();
            CHECK(server.lost == kMany);
        }
        server.port.reset();
        hosted.reset();
        CHECK(server.lost == kMany);
    }
}

TEST_CASE("H19: a dialog in a dispatch with a budget sees to what that has left") {
    Hosted hosted({.budget = 1us});
    std::vector<std::string> order;
    hosted.reactor.callLater(0ms, [&] {
        order.push_back("dialog");
        hosted.settle();
        order.push_back("closed");
    });
    for (const char* name : {"second", "third"}) {
        hosted.reactor.callLater(0ms, [&order, &hosted, name] {
            order.emplace_back(name);
            work(hosted.reactor, 5us);
        });
    }
    hosted.settle();
    CHECK(order == std::vector<std::string>{"dialog", "second", "third", "closed"});
}

TEST_CASE("a port that is paused accepts nothing for an event that a budget has left over") {
    Hosted hosted({.budget = 1us});
    SlowServer first(hosted);
    SlowServer second(hosted);
    hosted.settle();
    first.connect(1);
    second.connect(1);
    const auto made = [&] { return first.made + second.made; };
    REQUIRE(hosted.until([&] { return made() == 1; }));
    first.port->pauseAccepting();
    second.port->pauseAccepting();
    hosted.settle();
    CHECK(made() == 1);
    first.port->resumeAccepting();
    second.port->resumeAccepting();
    CHECK(hosted.until([&] { return made() == 2; }));
}

TEST_CASE("H19: a budget that is longer than any clock counts is none") {
    Hosted hosted({.budget = std::chrono::microseconds::max()});
    int calls = 0;
    for (int i = 0; i < 20; ++i)
        hosted.reactor.callLater(0ms, [&] { ++calls; });
    hosted.embedding().dispatch();
    CHECK(calls == 20);
}

TEST_CASE("a stop ends PollHost::run() though a call schedules itself for ever") {
    Hosted hosted;
    std::function<void()> again = [&] { hosted.reactor.callLater(0ms, again); };
    again();
    bool told = false;
    hosted.reactor.onStopped([&] { told = true; });
    hosted.reactor.start();
    hosted.reactor.stop();
    for (int i = 0; i < 100 && hosted.host.last() != Dispatched::Stopped; ++i)
        hosted.host.turn();
    CHECK(told);
    CHECK(hosted.host.last() == Dispatched::Stopped);
    CHECK(hosted.embedding().timeout() == 0ms); // which says that there is more
    again = [] {};
    hosted.settle();
}

TEST_CASE("touch() tells a host of a libuv handle that was started on the reactor's loop") {
    for (const EmbedOptions& options : kEmbeddings) {
        Hosted hosted(options);
        hosted.settle();
        int changes = 0;
        hosted.embedding().onChange([&] { ++changes; });
        uv_timer_t timer;
        uv_timer_init(hosted.reactor.loop(), &timer);
        bool fired = false;
        timer.data = &fired;
        uv_timer_start(
            &timer, [](uv_timer_t* handle) { *static_cast<bool*>(handle->data) = true; }, 2, 0);
        hosted.embedding().touch();
        CHECK(changes == (options.singleDescriptor ? 0 : 1));
        if (options.singleDescriptor) {
            pollfd watched{hosted.embedding().fd(), POLLIN, 0};
            for (int i = 0; i < 10 && !fired && ::poll(&watched, 1, 10'000) == 1; ++i)
                hosted.embedding().dispatch();
        } else {
            CHECK(hosted.until([&] { return fired; }));
        }
        CHECK(fired);
        uv_close(reinterpret_cast<uv_handle_t*>(&timer), nullptr);
        hosted.settle();
    }
}
