// Ports, connectors and connections of the C interface.

#include "c_support.hpp"

#include "support/log_capture.hpp"

#include <cerrno>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace torsion::test;

TEST_CASE("C: an echo of 10,000 messages, in both ways of embedding") {
    for (const bool single : {false, true}) {
        CHost host(single);
        CPair pair(host);
        pair.server.echoes();
        int count = 0;
        pair.client.onData = [&](torsion_connection* connection) {
            if (pair.client.received.size() < 16)
                return;
            CHECK(pair.client.received == "sixteen bytes...");
            pair.client.received.clear();
            if (++count < 10'000)
                write(connection, "sixteen bytes...");
        };
        write(pair.client.connection, "sixteen bytes...");
        CHECK(host.until([&] { return count == 10'000; }));
    }
}

TEST_CASE("C: an orderly end is told to both sides once, and then what was given to listen and connect is released") {
    LogCapture log;
    CHost host;
    CPair pair(host);
    write(pair.client.connection, "last words");
    CHECK(torsion_connection_lose(pair.client.connection) == TORSION_OK);
    CHECK(torsion_connection_lose(pair.client.connection) == TORSION_OK);
    CHECK(torsion_connection_write(pair.client.connection, "late", 4) == TORSION_ERROR_GONE);
    CHECK(host.until([&] { return pair.server.lost == 1 && pair.client.lost == 1; }));
    CHECK(pair.server.received == "last words");
    CHECK(pair.server.reason == "ConnectionDone");
    CHECK(pair.server.clean == 1);
    CHECK(pair.client.clean == 1);
    CHECK(pair.client.released == 0);
    int stopped = 0;
    CHECK(torsion_port_stop(pair.port, increment, &stopped) == TORSION_OK);
    CHECK(stopped == 0);
    CHECK(host.until([&] { return stopped == 1; }));
    CHECK(torsion_port_stop(pair.port, increment, &stopped) == TORSION_OK);
    CHECK(stopped == 1); // not inside of the call
    CHECK(host.until([&] { return stopped == 2; }));
    CHECK(torsion_port_stop(pair.port, nullptr, nullptr) == TORSION_OK);
    CHECK(torsion_port_number(pair.port) > 0);
    CHECK(torsion_port_stop(pair.port, increment, &stopped) == TORSION_OK);
    pair.release();
    CHECK(host.until([&] { return pair.server.released == 1 && pair.client.released == 1; }));
    CHECK(torsion_destroy(std::exchange(host.reactor, nullptr)) == TORSION_OK);
    CHECK(stopped == 3);
    CHECK(log.count(spdlog::level::err) == 0);
}

TEST_CASE("C: a connection's handle may be kept: everything is defined after the loss, and after the reactor") {
    CHost host;
    CPair pair(host);
    torsion_connection* const kept = pair.server.connection;
    REQUIRE(torsion_connection_retain(kept) == TORSION_OK);
    int port = 0;
    int hostPort = 0;
    char text[TORSION_HOST_SIZE];
    REQUIRE(torsion_connection_peer(kept, text, sizeof text, &port) == TORSION_OK);
    CHECK(std::string(text) == "127.0.0.1");
    CHECK(torsion_connection_peer(kept, text, 9, &port) == TORSION_ERROR_ARGUMENT);
    CHECK(torsion_connection_abort(pair.client.connection) == TORSION_OK);
    CHECK(host.until([&] { return pair.server.lost == 1 && pair.client.lost == 1; }));
    CHECK(pair.client.reason == "ConnectionAborted");
    CHECK(pair.server.clean == 0);

    for (const bool destroyed : {false, true}) {
        if (destroyed)
            CHECK(torsion_destroy(std::exchange(host.reactor, nullptr)) == TORSION_OK);
        CHECK(torsion_connection_is_connected(kept) == 0);
        CHECK(torsion_connection_write(kept, "x", 1) == TORSION_ERROR_GONE);
        CHECK(lastErrorHas("torsion_connection_write: the connection is lost"));
        CHECK(torsion_connection_flush(kept) == TORSION_ERROR_GONE);
        CHECK(torsion_connection_resume_reading(kept) == TORSION_ERROR_GONE);
        std::size_t bytes = 0;
        CHECK(torsion_connection_buffered(kept, &bytes) == TORSION_ERROR_GONE);
        CHECK(torsion_connection_lose(kept) == TORSION_OK);
        CHECK(torsion_connection_abort(kept) == TORSION_OK);
        CHECK(torsion_connection_fail(kept, "late") == TORSION_OK);
        CHECK(torsion_connection_unregister_producer(kept) == TORSION_OK);
        CHECK(torsion_connection_user(kept) == &pair.server);
        int again = 0;
        CHECK(torsion_connection_peer(kept, text, sizeof text, &again) == TORSION_OK);
        CHECK(again == port);
        CHECK(torsion_connection_host(kept, nullptr, 0, &hostPort) == TORSION_OK);
        CHECK(hostPort == torsion_port_number(pair.port));
    }
    CHECK(torsion_port_stop(pair.port, nullptr, nullptr) == TORSION_ERROR_GONE);
    CHECK(torsion_connector_connect(pair.connector) == TORSION_ERROR_GONE);
    CHECK(torsion_connection_release(kept) == TORSION_OK);
}

TEST_CASE("C: the end of the reactor is told to connections, which can begin nothing more") {
    LogCapture log;
    CHost host;
    CPair pair(host);
    std::vector<int> codes;
    torsion_reactor* const reactor = host.reactor;
    pair.server.onLost = [&](torsion_connection* connection) {
        codes = {torsion_call_later(reactor, 0, increment, nullptr, nullptr),
                 torsion_connection_write(connection, "x", 1), torsion_destroy(reactor)};
    };
    int stopped = 0;
    CHECK(torsion_port_stop(pair.port, increment, &stopped) == TORSION_OK);
    CHECK(torsion_port_stop(pair.port, increment, &stopped) == TORSION_OK);
    CHECK(torsion_destroy(std::exchange(host.reactor, nullptr)) == TORSION_OK);
    CHECK(stopped == 2);
    CHECK(log.count(spdlog::level::err) == 0);
    CHECK(codes == std::vector<int>{TORSION_ERROR_GONE, TORSION_ERROR_GONE, TORSION_ERROR_GONE});
    CHECK(pair.server.lost == 1);
    CHECK(pair.client.lost == 1);
}

TEST_CASE("C: what cannot be listened on or connected to is refused, naming it; nothing is released") {
    CHost host;
    const torsion_handlers handlers = CEnd::handlers();
    CEnd end;
    torsion_listen_options options{};
    options.size = sizeof options;
    const auto listen = [&](int number) {
        return torsion_listen_tcp(host.reactor, number, &handlers, &end, &options, nullptr);
    };
    CHECK(listen(65536) == TORSION_ERROR_ARGUMENT);
    CHECK(lastErrorHas("torsion_listen_tcp: port 65536 is not in 0..65535"));
    CHECK(listen(-1) == TORSION_ERROR_ARGUMENT);
    options.interface = "nonsense";
    CHECK(listen(0) == TORSION_ERROR_ARGUMENT);
    CHECK(lastErrorHas("nonsense"));
    options.interface = "192.0.2.1"; // nobody's: RFC 5737
    CHECK(listen(0) == TORSION_ERROR_SYSTEM);
    CHECK(torsion_last_errno() == EADDRNOTAVAIL);
    CHECK(lastErrorHas("192.0.2.1"));
    options.interface = nullptr;
    options.backlog = -1;
    CHECK(listen(0) == TORSION_ERROR_ARGUMENT);
    CHECK(torsion_listen_tcp(host.reactor, 0, nullptr, &end, nullptr, nullptr) == TORSION_ERROR_ARGUMENT);
    torsion_handlers unsized = handlers;
    unsized.size = 0;
    CHECK(torsion_listen_tcp(host.reactor, 0, &unsized, &end, nullptr, nullptr) == TORSION_ERROR_ARGUMENT);
    CHECK(lastErrorHas("handlers: its size, 0"));

    const auto connect = [&](const char* to, int number, const torsion_connect_options* chosen = nullptr) {
        return torsion_connect_tcp(host.reactor, to, number, &handlers, &end, chosen, nullptr);
    };
    CHECK(connect("127.0.0.1", 0) == TORSION_ERROR_ARGUMENT);
    CHECK(connect(nullptr, 80) == TORSION_ERROR_ARGUMENT);
    torsion_connect_options where{};
    where.size = sizeof where;
    where.timeout_ms = -2;
    CHECK(connect("127.0.0.1", 80, &where) == TORSION_ERROR_ARGUMENT);
    where.timeout_ms = 0;
    where.bind_port = 70'000;
    CHECK(connect("127.0.0.1", 80, &where) == TORSION_ERROR_ARGUMENT);
    where.bind_port = 0;
    where.bind_host = "nonsense";
    CHECK(connect("127.0.0.1", 80, &where) == TORSION_ERROR_ARGUMENT);
    CHECK(end.released == 0);
}

TEST_CASE("C: a refused attempt is told later, and can be made again") {
    CHost host;
    CPair pair(host);
    const int number = torsion_port_number(pair.port); // that nobody listens on any more
    int stopped = 0;
    torsion_port_stop(pair.port, increment, &stopped);
    torsion_connection_abort(pair.client.connection);
    CHECK(host.until([&] { return stopped == 1 && pair.server.lost == 1 && pair.client.lost == 1; }));
    CEnd end;
    const torsion_handlers handlers = CEnd::handlers();
    torsion_connector* connector = nullptr;
    REQUIRE(torsion_connect_tcp(host.reactor, "127.0.0.1", number, &handlers, &end, nullptr, &connector) == TORSION_OK);
    CHECK(end.failed == 0);
    CHECK(torsion_connector_connect(connector) == TORSION_ERROR_STATE);
    CHECK(host.until([&] { return end.failed == 1; }));
    CHECK(end.reason == "ConnectionRefusedError");
    CHECK(end.number == ECONNREFUSED);
    CHECK(torsion_connector_connect(connector) == TORSION_OK);
    CHECK(torsion_connector_disconnect(connector) == TORSION_OK);
    CHECK(host.until([&] { return end.failed == 2; }));
    CHECK(end.reason == "UserError");
    CHECK(torsion_connector_disconnect(connector) == TORSION_OK);
    CHECK(torsion_connector_release(connector) == TORSION_OK);
    CHECK(host.until([&] { return end.released == 1; }));
}

TEST_CASE("C: what a callback throws, or fails with, is logged and drops its connection with that reason") {
    for (const bool throws : {false, true}) {
        LogCapture log;
        CHost host;
        CPair pair(host);
        pair.server.onData = [&](torsion_connection* connection) {
            if (throws)
                throw std::runtime_error("no such word");
            CHECK(torsion_connection_fail(connection, "no such word") == TORSION_OK);
        };
        write(pair.client.connection, "xyzzy");
        CHECK(host.until([&] { return pair.server.lost == 1 && pair.client.lost == 1; }));
        CHECK(pair.server.reason == (throws ? "std::runtime_error" : "CallbackError"));
        CHECK(pair.server.message == "no such word");
        CHECK(pair.client.reason == "ConnectionLost");
        CHECK(log.contains("no such word"));
    }
}

TEST_CASE("C: exceptions out of the last callbacks are logged") {
    LogCapture log;
    CHost host;
    CPair pair(host);
    pair.server.onLost = [](torsion_connection*) { throw std::runtime_error("out of connection_lost"); };
    torsion_connection_abort(pair.server.connection);
    CHECK(host.until([&] { return pair.client.lost == 1 && log.contains("out of connection_lost"); }));
    CHost other;
    torsion_handlers handlers{};
    handlers.size = sizeof handlers;
    handlers.released = [](void*) { throw std::runtime_error("out of released"); };
    REQUIRE(torsion_listen_tcp(other.reactor, 0, &handlers, nullptr, nullptr, nullptr) == TORSION_OK);
    CHECK(torsion_destroy(std::exchange(other.reactor, nullptr)) == TORSION_OK);
    CHECK(log.contains("out of released"));
}

TEST_CASE("C: reading can be paused; what comes waits") {
    CHost host;
    CPair pair(host);
    CHECK(torsion_connection_pause_reading(pair.server.connection) == TORSION_OK);
    write(pair.client.connection, "patience");
    int ran = 0;
    torsion_call_later(host.reactor, 20'000'000, increment, &ran, nullptr);
    CHECK(host.until([&] { return ran == 1; }));
    CHECK(pair.server.received.empty());
    CHECK(torsion_connection_resume_reading(pair.server.connection) == TORSION_OK);
    CHECK(host.until([&] { return pair.server.received == "patience"; }));
}

TEST_CASE("C: a half-close is told, and the other direction goes on") {
    CHost host;
    CEnd server;
    CEnd client;
    torsion_handlers handlers = CEnd::handlers();
    handlers.read_connection_lost = [](torsion_connection* connection, void*) {
        CHECK(torsion_connection_write(connection, "all heard", 9) == TORSION_OK);
        torsion_connection_lose(connection);
    };
    handlers.write_connection_lost = [](torsion_connection*, void* user) { CEnd::of(user).number = 1; };
    torsion_port* port = nullptr;
    REQUIRE(torsion_listen_tcp(host.reactor, 0, &handlers, &server, nullptr, &port) == TORSION_OK);
    REQUIRE(torsion_connect_tcp(host.reactor, "127.0.0.1", torsion_port_number(port), &handlers, &client, nullptr,
                                nullptr) == TORSION_OK);
    REQUIRE(host.until([&] { return client.made == 1; }));
    write(client.connection, "said");
    CHECK(torsion_connection_lose_write(client.connection) == TORSION_OK);
    CHECK(host.until([&] { return client.received == "all heard" && server.lost == 1; }));
    CHECK(server.received == "said");
    CHECK(client.number == 1);
    torsion_port_release(port);
    CHECK(torsion_destroy(std::exchange(host.reactor, nullptr)) == TORSION_OK); // before the ends
}

TEST_CASE("C: each connection has a pointer of its own, at first its port's") {
    CHost host;
    CPair pair(host);
    CEnd own;
    CHECK(torsion_connection_user(pair.server.connection) == &pair.server);
    CHECK(torsion_connection_set_user(pair.server.connection, &own) == TORSION_OK);
    write(pair.client.connection, "to whom");
    CHECK(host.until([&] { return own.received == "to whom"; }));
    CHECK(pair.server.received.empty());
    torsion_connection_lose(pair.client.connection);
    CHECK(host.until([&] { return own.lost == 1; }));
}

TEST_CASE("C: a connection refuses another thread's calls") {
    CHost host;
    CPair pair(host);
    std::thread([&] {
        torsion_connection* const connection = pair.server.connection;
        int (*const functions[])(torsion_connection*) = {
            torsion_connection_lose,   torsion_connection_abort,   torsion_connection_flush,
            torsion_connection_retain, torsion_connection_release, torsion_connection_is_connected,
        };
        for (const auto f : functions)
            CHECK(f(connection) == TORSION_ERROR_THREAD);
        CHECK(torsion_connection_write(connection, "x", 1) == TORSION_ERROR_THREAD);
        CHECK(torsion_port_release(pair.port) == TORSION_ERROR_THREAD);
        CHECK(torsion_connector_disconnect(pair.connector) == TORSION_ERROR_THREAD);
    }).join();
    CHECK(pair.server.received.empty());
    CHECK(torsion_connection_write(pair.server.connection, nullptr, 1) == TORSION_ERROR_ARGUMENT);
    CHECK(torsion_connection_write(pair.server.connection, nullptr, 0) == TORSION_OK);
    CHECK(torsion_destroy(std::exchange(host.reactor, nullptr)) == TORSION_OK);
}
