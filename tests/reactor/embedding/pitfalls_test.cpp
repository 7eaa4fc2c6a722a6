// The ways in which libuv has been embedded wrongly before (H1 to H19; not those lines of the acceptance list), one
// case each. Loops inside of loops (H12) are in nested_test.cpp, fork (H8) in fork_test.cpp, what is begun outside of a
// dispatch (H2) in mutators_test.cpp; that nobody looks into a loop (H16) is a lint, tests/tree/loop_internals_test.py;
// H15 and H17 belong to adapters.

#include "support/hosted.hpp"
#include "support/log_capture.hpp"

#include <reactor/looping_call.hpp>

#include <doctest/doctest.h>

#include <sys/epoll.h>
#include <unistd.h>
#include <uv.h>

#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using namespace torsion;
using namespace torsion::test;

namespace {

/// An epoll descriptor that watches another.
class Epoll {
public:
    Epoll() : fd_(::epoll_create1(EPOLL_CLOEXEC)) { REQUIRE(fd_ >= 0); }
    Epoll(const Epoll&) = delete;
    Epoll& operator=(const Epoll&) = delete;
    ~Epoll() { ::close(fd_); }

    int fd() const noexcept { return fd_; }

    bool control(int operation, int fd, unsigned events) {
        epoll_event event{};
        event.events = events;
        return ::epoll_ctl(fd_, operation, fd, &event) == 0;
    }

    bool isReady() {
        epoll_event event{};
        return ::epoll_wait(fd_, &event, 1, 0) == 1;
    }

private:
    int fd_;
};

/// The active handles of a kind on the reactor's loop.
int activeHandles(UvReactor& reactor, uv_handle_type type) {
    std::pair<uv_handle_type, int> count{type, 0};
    uv_walk(
        reactor.loop(),
        [](uv_handle_t* handle, void* argument) {
            auto& [wanted, found] = *static_cast<std::pair<uv_handle_type, int>*>(argument);
            found += uv_handle_get_type(handle) == wanted && uv_is_active(handle) ? 1 : 0;
        },
        &count);
    return count.second;
}

} // namespace

TEST_CASE("H1: with nothing open the host may wait for ever, and a dispatch polls all the same") {
    for (const EmbedOptions& options : kEmbeddings) {
        Hosted hosted(options);
        CHECK(hosted.settle() <= 3);
        CHECK_FALSE(hosted.wakes());
        CHECK_FALSE(hosted.embedding().timeout().has_value());
        bool called = false;
        hosted.reactor.callFromThread([&] { called = true; });
        CHECK(hosted.isReadable());
        hosted.embedding().dispatch();
        CHECK(called);
        hosted.settle();
        CHECK_FALSE(hosted.wakes());
    }
}

TEST_CASE("H3: a call that is scheduled after long work of the host's waits its full time") {
    for (const EmbedOptions& options : kEmbeddings) {
        Hosted hosted(options);
        hosted.embedding().dispatch();
        work(hosted.reactor, 5ms);
        const TimePoint due = hosted.reactor.freshNow() + 4ms;
        std::optional<TimePoint> called;
        hosted.reactor.callLater(4ms, [&] { called = hosted.reactor.freshNow(); });
        REQUIRE(hosted.until([&] { return called.has_value(); }));
        CHECK(*called >= due);
    }
}

TEST_CASE("H3: timeout() knows how late it is, for handles of others on the loop too") {
    Hosted hosted;
    uv_timer_t timer;
    uv_timer_init(hosted.reactor.loop(), &timer);
    bool fired = false;
    timer.data = &fired;
    uv_timer_start(
        &timer, [](uv_timer_t* handle) { *static_cast<bool*>(handle->data) = true; }, 5, 0);
    hosted.settle();
    if (!fired) { // the machine may have been busy elsewhere
        work(hosted.reactor, 6ms);
        CHECK(hosted.embedding().timeout() == 0ms);
    }
    CHECK(hosted.until([&] { return fired; }));
    uv_close(reinterpret_cast<uv_handle_t*>(&timer), nullptr);
    hosted.settle();
}

TEST_CASE(
    "H4: a host that watches for the level gets everything; one that watches for edges, if it asks anew each time") {
    constexpr std::size_t kBytes = 4'000'000;
    for (const bool edges : {false, true}) {
        Hosted hosted;
        const HostedPair pair(hosted);
        const unsigned events = edges ? EPOLLIN | EPOLLET | EPOLLONESHOT : EPOLLIN;
        Epoll host;
        REQUIRE(host.control(EPOLL_CTL_ADD, hosted.embedding().fd(), events));
        pair.client->transport->write(std::string(kBytes, 'x'));
        const auto limit = std::chrono::steady_clock::now() + 20s;
        while (pair.server->record->received.size() < kBytes && std::chrono::steady_clock::now() < limit) {
            if (edges)
                REQUIRE(host.control(EPOLL_CTL_MOD, hosted.embedding().fd(), events));
            epoll_event event{};
            ::epoll_wait(host.fd(), &event, 1, pollTimeout(hosted.embedding(), 10'000ms));
            hosted.embedding().dispatch();
        }
        CHECK(pair.server->record->received.size() == kBytes);
    }
}

TEST_CASE("H5: a call that schedules itself without delay is made once a dispatch, and starves nobody") {
    for (const EmbedOptions& options : kEmbeddings) {
        Hosted hosted(options);
        const HostedPair pair(hosted, echoing());
        int calls = 0;
        std::function<void()> again = [&] {
            ++calls;
            hosted.reactor.callLater(0ms, again);
        };
        hosted.reactor.callLater(0ms, again);
        const int before = calls;
        for (int i = 0; i < 10; ++i)
            CHECK(hosted.embedding().dispatch() == Dispatched::More);
        CHECK(calls == before + 10);
        pair.client->transport->write("hello");
        CHECK(hosted.until([&] { return pair.client->record->received == "hello"; }));
        again = [] {};
        hosted.settle();
    }
}

TEST_CASE("H6: a stop() from the host swallows no dispatch") {
    Hosted hosted;
    hosted.reactor.start();
    hosted.reactor.stop();
    hosted.host.run();
    hosted.reactor.start();
    hosted.reactor.crash();
    bool called = false;
    hosted.reactor.callFromThread([&] { called = true; });
    hosted.embedding().dispatch();
    CHECK(called);
}

TEST_CASE("H7, H11: no idle, prepare or check handle is active in an embedded loop, whatever is to be done") {
    Hosted hosted;
    const HostedPair pair(hosted, echoing());
    const auto count = [&] {
        return activeHandles(hosted.reactor, UV_IDLE) + activeHandles(hosted.reactor, UV_PREPARE) +
               activeHandles(hosted.reactor, UV_CHECK);
    };
    CHECK(count() == 0);
    hosted.reactor.callLater(0ms, [&] { CHECK(count() == 0); });
    pair.client->transport->write("x");
    CHECK(count() == 0);
    hosted.settle();
    CHECK(count() == 0);
}

TEST_CASE("H10: whatever is open when an embedded reactor is destroyed, its loop can be closed") {
    const LogCapture log;
    for (const EmbedOptions& options : kEmbeddings) {
        Hosted hosted(options);
        const HostedPair pair(hosted);
        hosted.reactor.connectTCP("127.0.0.1", pair.port->getHost().port(), HookedFactory::make()); // under way
        hosted.reactor.callLater(1h, [] {});
    }
    CHECK_FALSE(log.contains("never freed"));
}

TEST_CASE("H13: the descriptor may be watched through four epoll descriptors, and not through five") {
    Hosted hosted;
    hosted.settle();
    std::array<Epoll, 5> levels;
    int inner = hosted.embedding().fd();
    for (std::size_t i = 0; i < 4; ++i) {
        REQUIRE(levels[i].control(EPOLL_CTL_ADD, inner, EPOLLIN));
        inner = levels[i].fd();
    }
    CHECK_FALSE(levels[3].isReady());
    hosted.reactor.callFromThread([] {});
    CHECK(levels[3].isReady());
    CHECK_FALSE(levels[4].control(EPOLL_CTL_ADD, inner, EPOLLIN));
}

TEST_CASE("H14: a host with a precise timer wakes once for a call") {
    Hosted hosted;
    hosted.settle();
    bool called = false;
    hosted.reactor.callLater(3ms, [&] { called = true; });
    const std::uint64_t turns = hosted.reactor.stats().turns;
    hosted.host.turn();
    CHECK(called);
    CHECK(hosted.reactor.stats().turns == turns + 1);
}

TEST_CASE("H19: a budget bounds what a dispatch calls: timed calls, calls from threads and connections") {
    for (const bool single : {false, true}) {
        Hosted hosted({.singleDescriptor = single, .budget = 1us});
        constexpr int kCalls = 20;
        int timed = 0;
        int posted = 0;
        int timedAtFirst = 0; // when the first posted call was made
        const auto slow = [&](int& count) {
            ++count;
            work(hosted.reactor, 2us);
        };
        for (int i = 0; i < kCalls; ++i) {
            hosted.reactor.callLater(0ms, [&] { slow(timed); });
            hosted.reactor.callFromThread([&] {
                if (posted == 0)
                    timedAtFirst = timed;
                slow(posted);
            });
        }
        int dispatches = 0;
        while (dispatches < 1000 && (timed < kCalls || posted < kCalls)) {
            const int before = timed + posted;
            CHECK(hosted.wakes());
            hosted.embedding().dispatch();
            ++dispatches;
            CHECK(timed + posted <= before + 2); // one of each
            CHECK(timed + posted > before);
        }
        CHECK(timed == kCalls);
        CHECK(posted == kCalls);
        CHECK(timedAtFirst == 1); // they take turns
        hosted.settle();
        CHECK_FALSE(hosted.wakes());
    }
}

TEST_CASE("H19: connections that a budget left over come first in the next dispatch") {
    Hosted hosted({.budget = 1us});
    std::vector<int> order;
    std::vector<std::unique_ptr<HostedPair>> pairs;
    for (int i = 0; i < 3; ++i) {
        pairs.push_back(std::make_unique<HostedPair>(hosted, ProtocolHooks{.data = [&order, &hosted, i](auto&) {
                                                         order.push_back(i);
                                                         work(hosted.reactor, 2us);
                                                     }}));
    }
    for (const auto& pair : pairs) {
        pair->client->transport->write("x");
        pair->client->transport->flush();
    }
    const auto size = [&] { return order.size(); };
    for (std::size_t round = 1; round <= 3; ++round) {
        const std::size_t before = size();
        REQUIRE(hosted.until([&] { return size() > before; }));
        CHECK(size() == before + 1);
    }
    CHECK(order[0] != order[1]);
    CHECK(order[1] != order[2]);
    CHECK(order[0] != order[2]);
}

TEST_CASE("a host that waits for nothing in particular is not woken by a reactor that has nothing to do") {
    for (const EmbedOptions& options : kEmbeddings) {
        Hosted hosted(options);
        const HostedPair pair(hosted, echoing());
        pair.client->transport->write("x");
        REQUIRE(hosted.until([&] { return pair.client->record->received == "x"; }));
        hosted.reactor.callLater(60s, [] {});
        CHECK(hosted.settle() <= 3);
        CHECK_FALSE(hosted.isReadable());
        const auto wait = hosted.embedding().timeout();
        CHECK((options.singleDescriptor ? !wait : *wait > 50s));
    }
}
