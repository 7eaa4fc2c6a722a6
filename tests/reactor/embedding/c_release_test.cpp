// How reactors, ports and connectors of the C interface end: who is told of it, when and on which thread.

#include "c_support.hpp"

#include "support/alloc_failure.hpp"
#include "support/host_loop.hpp"
#include "support/log_capture.hpp"

#include <uv.h>

#include <atomic>
#include <cstdint>
#include <thread>
#include <utility>
#include <vector>

using namespace torsion::test;

namespace {

/// Notes where `released` comes.
struct Released {
    int times = 0;
    bool releasing = false; // a handle is being released
    std::thread::id thread{};

    static torsion_handlers handlers() {
        torsion_handlers functions{};
        functions.size = sizeof functions;
        functions.released = [](void* user) {
            Released& self = *static_cast<Released*>(user);
            ++self.times;
            self.thread = std::this_thread::get_id();
            CHECK_FALSE(self.releasing);
        };
        return functions;
    }
};

/// Calls `begin` until it has all the memory that it wants: one allocation more each time. Some it can do without (the
/// log's). @returns how often it began
template <class F>
int beginWithLittleMemory(F&& begin) {
    int begun = 0;
    int failed = 0;
    for (int number = 1; number < 1000; ++number) {
        const AllocationFailure failure(static_cast<std::uint64_t>(number));
        const int result = begin();
        const bool hasFailed = AllocationFailure::hasCome();
        if (result == TORSION_OK)
            ++begun;
        else
            ++failed;
        if (!hasFailed)
            break;
        CHECK((result == TORSION_OK || result == TORSION_ERROR_MEMORY));
    }
    CHECK(begun > 0);
    CHECK(failed > 0);
    return begun;
}

} // namespace

TEST_CASE("C: released comes when the reactor lets go of a port, whoever still has a handle") {
    CHost host;
    Released released;
    const torsion_handlers handlers = Released::handlers();
    torsion_port* port = nullptr;
    REQUIRE(torsion_listen_tcp(host.reactor, 0, &handlers, &released, nullptr, &port) == TORSION_OK);
    const int number = torsion_port_number(port);
    CHECK(torsion_port_stop(port, nullptr, nullptr) == TORSION_OK);
    CHECK(released.times == 0);
    CHECK(host.until([&] { return released.times == 1; }));
    CHECK(torsion_port_number(port) == number);
    int stopped = 0;
    CHECK(torsion_port_stop(port, increment, &stopped) == TORSION_OK);
    CHECK(stopped == 0);
    CHECK(host.until([&] { return stopped == 1; }));
    CHECK(torsion_port_release(port) == TORSION_OK);
    CHECK(released.times == 1);
}

TEST_CASE("C: released does not come inside of the release of a connector's last handle, but in a dispatch") {
    for (const bool isLast : {true, false}) {
        CHost host;
        CPair pair(host);
        Released released;
        const torsion_handlers handlers = Released::handlers();
        torsion_connector* connector = nullptr;
        REQUIRE(torsion_connect_tcp(host.reactor, "127.0.0.1", torsion_port_number(pair.port), &handlers, &released,
                                    nullptr, &connector) == TORSION_OK);
        CHECK(torsion_connector_disconnect(connector) == TORSION_OK);
        host.turn();
        if (!isLast)
            CHECK(torsion_connector_retain(connector) == TORSION_OK);
        released.releasing = true;
        CHECK(torsion_connector_release(connector) == TORSION_OK);
        released.releasing = false;
        if (isLast) {
            CHECK(host.until([&] { return released.times == 1; }));
        } else {
            for (int i = 0; i < 10; ++i)
                torsion_dispatch(host.reactor);
            CHECK(released.times == 0);
        }
        CHECK(torsion_destroy(std::exchange(host.reactor, nullptr)) == TORSION_OK);
        CHECK(released.times == 1);
        if (!isLast) {
            CHECK(torsion_connector_connect(connector) == TORSION_ERROR_GONE);
            CHECK(torsion_connector_release(connector) == TORSION_OK);
        }
    }
}

TEST_CASE("C: what is released on another thread, once the reactor is destroyed, calls nobody there") {
    CHost host;
    CPair pair(host);
    Released ofPort;
    Released ofConnector;
    const torsion_handlers handlers = Released::handlers();
    torsion_port* port = nullptr;
    torsion_connector* connector = nullptr;
    torsion_timer* timer = nullptr;
    torsion_timer* other = nullptr;
    REQUIRE(torsion_listen_tcp(host.reactor, 0, &handlers, &ofPort, nullptr, &port) == TORSION_OK);
    REQUIRE(torsion_connect_tcp(host.reactor, "127.0.0.1", torsion_port_number(port), &handlers, &ofConnector, nullptr,
                                &connector) == TORSION_OK);
    REQUIRE(torsion_call_later(host.reactor, 0, increment, nullptr, &timer) == TORSION_OK);
    REQUIRE(torsion_call_later(host.reactor, 0, increment, nullptr, &other) == TORSION_OK);
    torsion_connection* const connection = pair.server.connection;
    REQUIRE(torsion_connection_retain(connection) == TORSION_OK);
    CHECK(torsion_destroy(std::exchange(host.reactor, nullptr)) == TORSION_OK);
    for (const Released* released : {&ofPort, &ofConnector}) {
        CHECK(released->times == 1);
        CHECK(released->thread == std::this_thread::get_id());
    }
    std::thread meanwhile([&] { CHECK(torsion_timer_release(other) == TORSION_OK); });
    std::thread([&] {
        CHECK(torsion_port_release(port) == TORSION_OK);
        CHECK(torsion_connector_release(connector) == TORSION_OK);
        CHECK(torsion_timer_release(timer) == TORSION_OK);
        CHECK(torsion_connection_release(connection) == TORSION_OK);
    }).join();
    meanwhile.join();
    CHECK(ofPort.times == 1);
    CHECK(ofConnector.times == 1);
}

TEST_CASE("C: a function that fails for want of memory keeps nothing") {
    CHost host;
    int ran = 0;
    const int calls = beginWithLittleMemory([&] {
        torsion_timer* timer = nullptr;
        const int result = torsion_call_later(host.reactor, 0, increment, &ran, &timer);
        return result == TORSION_OK ? torsion_timer_release(timer) : result;
    });
    CHECK(host.until([&] { return ran != 0; }));
    host.turn();
    CHECK(ran == calls);

    Released server;
    const torsion_handlers handlers = Released::handlers();
    torsion_port* port = nullptr;
    const int ports = beginWithLittleMemory([&] {
        torsion_port* opened = nullptr;
        const int result = torsion_listen_tcp(host.reactor, 0, &handlers, &server, nullptr, &opened);
        if (result == TORSION_OK && port)
            CHECK(torsion_port_release(port) == TORSION_OK);
        port = result == TORSION_OK ? opened : port;
        return result;
    });
    CEnd client;
    const torsion_handlers connecting = CEnd::handlers();
    std::vector<torsion_connector*> connectors;
    connectors.reserve(1000);
    const int number = torsion_port_number(port);
    const int attempts = beginWithLittleMemory([&] {
        torsion_connector* begun = nullptr;
        const int result =
            torsion_connect_tcp(host.reactor, "127.0.0.1", number, &connecting, &client, nullptr, &begun);
        if (result == TORSION_OK)
            connectors.push_back(begun);
        return result;
    });
    CHECK(host.until([&] { return client.made + client.failed >= attempts; }));
    CHECK(server.times == 0);
    CHECK(client.released == 0);
    CHECK(torsion_destroy(std::exchange(host.reactor, nullptr)) == TORSION_OK);
    CHECK(server.times == ports); // of each that was kept
    CHECK(client.released == attempts);
    CHECK(client.made + client.failed == attempts);
    CHECK(torsion_port_release(port) == TORSION_OK);
    for (torsion_connector* connector : connectors)
        CHECK(torsion_connector_release(connector) == TORSION_OK);
}

TEST_CASE("C: a reactor cannot be destroyed by a libuv handle of the program's own on its loop, nor in on_change") {
    CHost host;
    struct Own {
        torsion_reactor* reactor;
        int code = TORSION_OK;
    } own{host.reactor};
    uv_timer_t timer;
    uv_timer_init(torsion_loop(host.reactor), &timer);
    timer.data = &own;
    uv_timer_start(
        &timer,
        [](uv_timer_t* handle) {
            Own& ours = *static_cast<Own*>(handle->data);
            ours.code = torsion_destroy(ours.reactor);
        },
        0, 0);
    CHECK(torsion_touch(host.reactor) == TORSION_OK);
    CHECK(host.until([&] { return own.code != TORSION_OK; }));
    CHECK(own.code == TORSION_ERROR_STATE);
    uv_close(reinterpret_cast<uv_handle_t*>(&timer), nullptr);
    torsion_touch(host.reactor);
    host.turn();

    own.code = TORSION_OK;
    auto change = [](void* user) { static_cast<Own*>(user)->code = torsion_destroy(static_cast<Own*>(user)->reactor); };
    REQUIRE(torsion_on_change(host.reactor, change, &own) == TORSION_OK);
    host.until([&] { return torsion_timeout(host.reactor) == -1; });
    torsion_call_later(host.reactor, 0, increment, nullptr, nullptr);
    CHECK(own.code == TORSION_ERROR_STATE);
    CHECK(torsion_on_change(host.reactor, nullptr, nullptr) == TORSION_OK);
}

TEST_CASE("C: a libuv handle of the host's own destroys a reactor on its loop, and hears when all is closed") {
    HostLoop loop;
    struct Ending {
        torsion_reactor* reactor;
        uv_loop_t* loop;
        int closed = 0;
        int handles = 0;
    } ending{torsion_new_on_loop(loop.get()), loop.get()};
    REQUIRE(ending.reactor);
    const torsion_handlers handlers = Released::handlers();
    Released released;
    REQUIRE(torsion_listen_tcp(ending.reactor, 0, &handlers, &released, nullptr, nullptr) == TORSION_OK);
    CHECK(torsion_destroy_then(ending.reactor, nullptr, nullptr) == TORSION_ERROR_ARGUMENT);
    uv_idle_t own;
    uv_idle_init(loop.get(), &own);
    own.data = &ending;
    uv_idle_start(&own, [](uv_idle_t* handle) {
        uv_idle_stop(handle);
        Ending& ours = *static_cast<Ending*>(handle->data);
        auto closed = [](void* user) {
            Ending& told = *static_cast<Ending*>(user);
            ++told.closed;
            uv_walk(
                told.loop, [](uv_handle_t*, void* count) { ++*static_cast<int*>(count); }, &told.handles);
        };
        CHECK(torsion_destroy_then(ours.reactor, closed, &ours) == TORSION_OK);
        CHECK(ours.closed == 0);
    });
    loop.run();
    CHECK(released.times == 1);
    CHECK(ending.closed == 1);
    CHECK(ending.handles == 2); // the host's own: this one, and the loop's limit
    uv_close(reinterpret_cast<uv_handle_t*>(&own), nullptr);
    CHECK(loop.close() == 0);
}

TEST_CASE("C: with a loop of the reactor's own all is closed when it is destroyed; a refusal tells nobody") {
    CHost host;
    int closed = 0;
    struct Call {
        torsion_reactor* reactor;
        int* closed;
        int code = TORSION_OK;
    } call{host.reactor, &closed};
    auto destroy = [](void* user) {
        Call& ours = *static_cast<Call*>(user);
        ours.code = torsion_destroy_then(ours.reactor, increment, ours.closed);
    };
    torsion_call_later(host.reactor, 0, destroy, &call, nullptr);
    CHECK(host.until([&] { return call.code != TORSION_OK; }));
    CHECK(call.code == TORSION_ERROR_STATE);
    CHECK(closed == 0);
    CHECK(torsion_destroy_then(std::exchange(host.reactor, nullptr), increment, &closed) == TORSION_OK);
    CHECK(closed == 1);
}

TEST_CASE("C: threads that release a living reactor more often than they hold it are refused, however they meet") {
    CHost host;
    for (int round = 0; round < 200; ++round) {
        constexpr int kThreads = 3;
        for (int i = 0; i < kThreads - 1; ++i)
            REQUIRE(torsion_retain(host.reactor) == TORSION_OK);
        std::atomic<int> refused{0};
        std::vector<std::thread> threads;
        for (int i = 0; i < kThreads; ++i) {
            threads.emplace_back([&] {
                if (torsion_release(host.reactor) == TORSION_ERROR_STATE)
                    ++refused;
            });
        }
        for (std::thread& thread : threads)
            thread.join();
        REQUIRE(refused == 1);
    }
    CHECK(torsion_is_running(host.reactor) == 0);
}
