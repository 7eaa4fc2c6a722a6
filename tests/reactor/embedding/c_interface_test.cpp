// Reactors, timers and errors of the C interface. Its functions are called as a C program calls them.

#include "c_support.hpp"

#include "support/child.hpp"
#include "support/host_loop.hpp"
#include "support/log_capture.hpp"

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using namespace torsion::test;

namespace {

constexpr std::int64_t kMillisecond = 1'000'000;

} // namespace

TEST_CASE("C: the library says which version of the interface it has") {
    CHECK(torsion_abi_version() == TORSION_ABI_VERSION);
}

TEST_CASE("C: no error code is what torsion_timeout() says for ever") {
    for (const int code : {TORSION_ERROR_ARGUMENT, TORSION_ERROR_THREAD, TORSION_ERROR_STATE, TORSION_ERROR_GONE,
                           TORSION_ERROR_SYSTEM, TORSION_ERROR_MEMORY, TORSION_ERROR_OTHER})
        CHECK(code < -1);
}

TEST_CASE("C: NULL is refused by every function, with its name") {
    CHECK(torsion_destroy(nullptr) == TORSION_ERROR_ARGUMENT);
    CHECK(std::string(torsion_last_error()) == "torsion_destroy: reactor is NULL");
    int (*const ofReactors[])(torsion_reactor*) = {
        torsion_retain, torsion_release, torsion_descriptor, torsion_timeout,    torsion_dispatch,
        torsion_start,  torsion_touch,   torsion_is_running, torsion_after_fork, torsion_generation,
    };
    for (const auto f : ofReactors)
        CHECK(f(nullptr) == TORSION_ERROR_ARGUMENT);
    CHECK(torsion_stop(nullptr, 0) == TORSION_ERROR_ARGUMENT);
    CHECK(torsion_destroy_then(nullptr, increment, nullptr) == TORSION_ERROR_ARGUMENT);
    CHECK(torsion_dispatches(nullptr, nullptr) == TORSION_ERROR_ARGUMENT);
    CHECK(torsion_times_late(nullptr, nullptr) == TORSION_ERROR_ARGUMENT);
    CHECK(torsion_on_change(nullptr, increment, nullptr) == TORSION_ERROR_ARGUMENT);
    CHECK(torsion_on_stopped(nullptr, increment, nullptr) == TORSION_ERROR_ARGUMENT);
    CHECK(torsion_loop(nullptr) == nullptr);
    CHECK(torsion_new_on_loop(nullptr) == nullptr);
    CHECK(torsion_call_from_thread(nullptr, increment, nullptr) == TORSION_ERROR_ARGUMENT);
    CHECK(torsion_call_later(nullptr, 0, increment, nullptr, nullptr) == TORSION_ERROR_ARGUMENT);
    int (*const ofTimers[])(torsion_timer*) = {torsion_timer_cancel, torsion_timer_is_active, torsion_timer_retain,
                                               torsion_timer_release};
    for (const auto f : ofTimers)
        CHECK(f(nullptr) == TORSION_ERROR_ARGUMENT);
    CHECK(torsion_timer_reset(nullptr, 0) == TORSION_ERROR_ARGUMENT);
    int (*const ofConnections[])(torsion_connection*) = {
        torsion_connection_flush,         torsion_connection_lose,
        torsion_connection_lose_write,    torsion_connection_abort,
        torsion_connection_pause_reading, torsion_connection_resume_reading,
        torsion_connection_is_connected,  torsion_connection_retain,
        torsion_connection_release,       torsion_connection_unregister_producer,
    };
    for (const auto f : ofConnections)
        CHECK(f(nullptr) == TORSION_ERROR_ARGUMENT);
    CHECK(torsion_connection_write(nullptr, "x", 1) == TORSION_ERROR_ARGUMENT);
    CHECK(torsion_connection_user(nullptr) == nullptr);
    CHECK(lastErrorHas("torsion_connection_user: connection is NULL"));
    CHECK(torsion_port_number(nullptr) == TORSION_ERROR_ARGUMENT);
    CHECK(torsion_port_stop(nullptr, nullptr, nullptr) == TORSION_ERROR_ARGUMENT);
    CHECK(torsion_connector_connect(nullptr) == TORSION_ERROR_ARGUMENT);
    CHECK(torsion_connector_disconnect(nullptr) == TORSION_ERROR_ARGUMENT);
}

TEST_CASE("C: timers run in order, can be cancelled and reset, and their handles outlive them and the reactor") {
    for (const bool single : {false, true}) {
        CHost host(single);
        int ran = 0;
        int never = 0;
        torsion_timer* cancelled = nullptr;
        torsion_timer* moved = nullptr;
        torsion_timer* first = nullptr;
        REQUIRE(torsion_call_later(host.reactor, 0, increment, &ran, &first) == TORSION_OK);
        REQUIRE(torsion_call_later(host.reactor, 0, increment, &never, &cancelled) == TORSION_OK);
        REQUIRE(torsion_call_later(host.reactor, 3'600'000 * kMillisecond, increment, &ran, &moved) == TORSION_OK);
        REQUIRE(torsion_call_later(host.reactor, kMillisecond, increment, &ran, nullptr) == TORSION_OK);
        CHECK(torsion_timer_is_active(first) == 1);
        CHECK(torsion_timer_cancel(cancelled) == TORSION_OK);
        CHECK(torsion_timer_cancel(cancelled) == TORSION_ERROR_STATE);
        CHECK(torsion_timer_reset(moved, 0) == TORSION_OK);
        CHECK(torsion_timer_reset(moved, -1) == TORSION_ERROR_ARGUMENT);
        CHECK(host.until([&] { return ran == 3; }));
        CHECK(never == 0);
        CHECK(torsion_timer_is_active(first) == 0);
        CHECK(torsion_timer_cancel(first) == TORSION_ERROR_STATE);
        CHECK(torsion_call_later(host.reactor, -1, increment, &ran, nullptr) == TORSION_ERROR_ARGUMENT);
        CHECK(torsion_call_later(host.reactor, 0, nullptr, nullptr, nullptr) == TORSION_ERROR_ARGUMENT);

        CHECK(torsion_timer_retain(first) == TORSION_OK);
        CHECK(torsion_destroy(std::exchange(host.reactor, nullptr)) == TORSION_OK);
        CHECK(torsion_timer_cancel(moved) == TORSION_ERROR_GONE);
        CHECK(torsion_timer_is_active(moved) == 0);
        for (torsion_timer* timer : {first, first, moved, cancelled})
            CHECK(torsion_timer_release(timer) == TORSION_OK);
    }
}

TEST_CASE("C: a host that cannot ask before each wait hears of what is begun outside of a dispatch") {
    CHost host;
    int changes = 0;
    REQUIRE(torsion_on_change(host.reactor, increment, &changes) == TORSION_OK);
    CHECK(torsion_on_change(host.reactor, increment, &changes) == TORSION_ERROR_STATE);
    host.until([&] { return torsion_timeout(host.reactor) == -1; });
    torsion_call_later(host.reactor, kMillisecond, increment, &changes, nullptr);
    CHECK(changes == 1);
    CHECK(torsion_on_change(host.reactor, nullptr, nullptr) == TORSION_OK);
}

TEST_CASE("C: the host's loop may run inside of a callback, and dispatch there") {
    for (const bool single : {false, true}) {
        CHost host(single);
        struct Dialog {
            CHost& host;
            int ticks = 0;
            bool isOver = false;
        } dialog{host};
        auto open = [](void* user) {
            Dialog& ours = *static_cast<Dialog*>(user);
            CHECK(ours.host.until([&] { return ours.ticks == 2; }));
            ours.isOver = true;
        };
        auto tick = [](void* user) { ++static_cast<Dialog*>(user)->ticks; };
        torsion_call_later(host.reactor, 0, open, &dialog, nullptr);
        torsion_call_later(host.reactor, 0, tick, &dialog, nullptr);
        torsion_call_later(host.reactor, kMillisecond, tick, &dialog, nullptr);
        CHECK(host.until([&] { return dialog.isOver; }));
    }
}

TEST_CASE("C: a dispatch leaves to the next what goes beyond its budget, and says so") {
    const torsion_options options{
        .size = sizeof(torsion_options), .single_descriptor = 0, .budget_us = 1, .patience_ms = 0};
    torsion_reactor* reactor = torsion_new(&options);
    REQUIRE(reactor);
    int ran = 0;
    auto slow = [](void* user) {
        ++*static_cast<int*>(user);
        const auto end = std::chrono::steady_clock::now() + 10us;
        while (std::chrono::steady_clock::now() < end) {
        }
    };
    for (int i = 0; i < 3; ++i)
        torsion_call_later(reactor, 0, slow, &ran, nullptr);
    CHECK(torsion_dispatch(reactor) == TORSION_MORE);
    CHECK(ran == 1);
    CHECK(torsion_destroy(reactor) == TORSION_OK);
}

TEST_CASE("C: stop ends with on_stopped, any number of times; the last one destroys the reactor in it") {
    for (const bool single : {false, true}) {
        CHost host(single);
        int stopped = 0;
        REQUIRE(torsion_on_stopped(host.reactor, increment, &stopped) == TORSION_OK);
        CHECK(torsion_stop(host.reactor, 0) == TORSION_ERROR_STATE);
        for (int round = 1; round <= 3; ++round) {
            REQUIRE(torsion_start(host.reactor) == TORSION_OK);
            CHECK(torsion_start(host.reactor) == TORSION_ERROR_STATE);
            CHECK(torsion_is_running(host.reactor) == 1);
            CHECK(torsion_stop(host.reactor, -1) == TORSION_ERROR_ARGUMENT);
            REQUIRE(torsion_stop(host.reactor, 0) == TORSION_OK);
            CHECK(torsion_stop(host.reactor, 0) == TORSION_ERROR_STATE);
            CHECK(stopped == round - 1);
            CHECK(host.until([&] { return stopped == round; }));
            CHECK(host.last == TORSION_STOPPED);
            CHECK(torsion_is_running(host.reactor) == 0);
        }
        auto destroy = [](void* user) {
            CHost& ours = *static_cast<CHost*>(user);
            CHECK(torsion_destroy(std::exchange(ours.reactor, nullptr)) == TORSION_OK);
        };
        torsion_reactor* const kept = host.reactor;
        REQUIRE(torsion_retain(kept) == TORSION_OK);
        REQUIRE(torsion_on_stopped(kept, destroy, &host) == TORSION_OK);
        REQUIRE(torsion_start(kept) == TORSION_OK);
        REQUIRE(torsion_stop(kept, 0) == TORSION_OK);
        CHECK(host.until([&] { return host.reactor == nullptr; }));
        CHECK(host.last == TORSION_STOPPED);
        CHECK(torsion_dispatch(kept) == TORSION_ERROR_GONE);
        CHECK(torsion_start(kept) == TORSION_ERROR_GONE);
        CHECK(torsion_destroy(kept) == TORSION_ERROR_GONE);
        CHECK(torsion_release(kept) == TORSION_OK);
    }
}

TEST_CASE("C: a reactor cannot be destroyed inside of a callback, nor released to nothing") {
    CHost host;
    struct Call {
        torsion_reactor* reactor;
        int code;
    } call{host.reactor, 1};
    auto destroy = [](void* user) {
        Call& ours = *static_cast<Call*>(user);
        ours.code = torsion_destroy(ours.reactor);
    };
    torsion_call_later(host.reactor, 0, destroy, &call, nullptr);
    CHECK(host.until([&] { return call.code != 1; }));
    CHECK(call.code == TORSION_ERROR_STATE);
    CHECK(torsion_release(host.reactor) == TORSION_ERROR_STATE);
}

TEST_CASE("C: threads have functions called on the reactor's, until it is destroyed") {
    for (const bool single : {false, true}) {
        CHost host(single);
        std::vector<std::thread::id> callers;
        auto note = [](void* user) {
            static_cast<std::vector<std::thread::id>*>(user)->push_back(std::this_thread::get_id());
        };
        REQUIRE(torsion_retain(host.reactor) == TORSION_OK);
        torsion_reactor* const kept = host.reactor;
        std::thread([&] {
            for (int i = 0; i < 100; ++i)
                torsion_call_from_thread(kept, note, &callers);
        }).join();
        CHECK(host.until([&] { return callers.size() == 100; }));
        CHECK(callers.front() == std::this_thread::get_id());
        CHECK(torsion_call_from_thread(kept, nullptr, nullptr) == TORSION_ERROR_ARGUMENT);
        CHECK(torsion_call_from_thread(kept, note, &callers) == TORSION_OK); // dropped
        CHECK(torsion_destroy(std::exchange(host.reactor, nullptr)) == TORSION_OK);
        std::thread([&] {
            CHECK(torsion_call_from_thread(kept, note, &callers) == TORSION_ERROR_GONE);
            CHECK(torsion_release(kept) == TORSION_OK);
        }).join();
        CHECK(callers.size() == 100);
    }
}

TEST_CASE("C: another thread is told that it is the wrong one, and has an error text of its own") {
    CHost host;
    torsion_timer* timer = nullptr;
    REQUIRE(torsion_call_later(host.reactor, 0, increment, nullptr, &timer) == TORSION_OK);
    REQUIRE(torsion_timer_cancel(timer) == TORSION_OK);
    REQUIRE(torsion_stop(host.reactor, 0) == TORSION_ERROR_STATE);
    std::thread([&] {
        CHECK(std::string(torsion_last_error()).empty());
        int (*const functions[])(torsion_reactor*) = {torsion_destroy,  torsion_descriptor, torsion_timeout,
                                                      torsion_dispatch, torsion_start,      torsion_touch};
        for (const auto f : functions)
            CHECK(f(host.reactor) == TORSION_ERROR_THREAD);
        CHECK(lastErrorHas("torsion_touch: this is not the reactor's thread"));
        CHECK(torsion_call_later(host.reactor, 0, increment, nullptr, nullptr) == TORSION_ERROR_THREAD);
        CHECK(torsion_timer_cancel(timer) == TORSION_ERROR_THREAD);
        CHECK(torsion_timer_release(timer) == TORSION_ERROR_THREAD);
    }).join();
    CHECK(lastErrorHas("torsion_stop"));
    CHECK(torsion_timer_release(timer) == TORSION_OK);
}

TEST_CASE("C: what a C++ caller's callback throws is logged, and the reactor goes on") {
    LogCapture log;
    CHost host;
    int ran = 0;
    auto thrower = [](void*) { throw std::runtime_error("out of a callback"); };
    torsion_call_later(host.reactor, 0, thrower, nullptr, nullptr);
    torsion_call_from_thread(host.reactor, thrower, nullptr);
    torsion_call_later(host.reactor, kMillisecond, increment, &ran, nullptr);
    CHECK(host.until([&] { return ran == 1 && log.count("out of a callback") == 2; }));
    int changes = 0;
    REQUIRE(torsion_on_change(host.reactor, thrower, nullptr) == TORSION_OK);
    host.until([&] { return torsion_timeout(host.reactor) == -1; });
    CHECK(torsion_call_later(host.reactor, 0, increment, &changes, nullptr) == TORSION_OK);
    CHECK(log.count("out of a callback") == 3);
}

TEST_CASE("C: a function of the caller's hears what the library logs") {
    struct Line {
        int level = -1;
        std::string text;
    } line;
    auto hear = [](int level, const char* text, std::size_t size, void* user) {
        CHECK(std::strlen(text) == size);
        *static_cast<Line*>(user) = {level, text};
    };
    CHECK(torsion_set_log(hear, 6, &line) == TORSION_ERROR_ARGUMENT);
    REQUIRE(torsion_set_log(hear, 3, &line) == TORSION_OK);
    CHost host;
    auto thrower = [](void*) { throw std::runtime_error("to be heard"); };
    torsion_call_later(host.reactor, 0, thrower, nullptr, nullptr);
    CHECK(host.until([&] { return line.level != -1; }));
    CHECK(line.level == 4);
    CHECK(line.text.find("to be heard") != std::string::npos);
    CHECK(torsion_set_log(nullptr, 2, nullptr) == TORSION_OK);
}

TEST_CASE("C: a child of fork() goes on with the reactor, and cannot harm its parent's") {
    CHost host;
    CHECK(torsion_generation(host.reactor) == 0);
    const pid_t child = ::fork();
    REQUIRE(child != -1);
    if (child == 0) {
        int ran = 0;
        bool ok = torsion_destroy(host.reactor) == TORSION_ERROR_STATE &&
                  torsion_after_fork(host.reactor) == TORSION_OK && torsion_generation(host.reactor) == 1;
        torsion_call_later(host.reactor, kMillisecond, increment, &ran, nullptr);
        for (int i = 0; i < 1000 && ran == 0; ++i)
            host.turn();
        ok = ok && ran == 1 && torsion_destroy(host.reactor) == TORSION_OK;
        ::_exit(ok ? 0 : 1);
    }
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
}

TEST_CASE("C: a reactor on a libuv loop serves as its owner runs the loop, keeps it alive while something is pending, "
          "and leaves nothing behind") {
    HostLoop loop;
    torsion_reactor* reactor = torsion_new_on_loop(loop.get());
    REQUIRE(reactor);
    CHECK(torsion_loop(reactor) == loop.get());
    CHECK(torsion_descriptor(reactor) == TORSION_ERROR_STATE);
    CHECK(torsion_dispatch(reactor) == TORSION_ERROR_STATE);
    CHECK(lastErrorHas("libuv loop"));
    CHECK(torsion_touch(reactor) == TORSION_OK);
    int ran = 0;
    torsion_call_later(reactor, kMillisecond, increment, &ran, nullptr);
    loop.run();
    CHECK(ran == 1);

    auto destroy = [](void* user) {
        CHECK(torsion_destroy(std::exchange(*static_cast<torsion_reactor**>(user), nullptr)) == TORSION_OK);
    };
    torsion_on_stopped(reactor, destroy, &reactor);
    REQUIRE(torsion_start(reactor) == TORSION_OK);
    REQUIRE(torsion_stop(reactor, 0) == TORSION_OK);
    loop.run();
    CHECK(reactor == nullptr);
    CHECK(loop.close() == 0);
}
