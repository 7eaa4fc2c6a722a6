#pragma once

#include <reactor/embedding/torsion.h>

#include <doctest/doctest.h>

#include <poll.h>

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace torsion::test {

/// A reactor of the C interface in a host that waits with poll.
struct CHost {
    explicit CHost(bool singleDescriptor = false) {
        const torsion_options options{.size = sizeof(torsion_options),
                                      .single_descriptor = singleDescriptor ? 1 : 0,
                                      .budget_us = 0,
                                      .patience_ms = 0};
        reactor = torsion_new(&options);
        REQUIRE_MESSAGE(reactor, torsion_last_error());
    }
    CHost(const CHost&) = delete;
    CHost& operator=(const CHost&) = delete;
    ~CHost() {
        if (reactor)
            CHECK(torsion_destroy(reactor) == TORSION_OK);
    }

    /// Turns until `condition()` is true; nothing is timed but what would hang.
    template <class F>
    bool until(F&& condition) {
        const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        while (!condition()) {
            if (std::chrono::steady_clock::now() > limit)
                return false;
            turn();
        }
        return true;
    }

    void turn() {
        pollfd watched{torsion_descriptor(reactor), POLLIN, 0};
        const int wait = torsion_timeout(reactor);
        REQUIRE(wait >= -1);
        ::poll(&watched, 1, wait >= 0 && wait < 100 ? wait : 100);
        last = torsion_dispatch(reactor);
        REQUIRE_MESSAGE(last >= 0, torsion_last_error());
    }

    torsion_reactor* reactor = nullptr;
    int last = TORSION_IDLE;
};

/// One end of connections: what it heard, and what a test has it do.
struct CEnd {
    using Hook = std::function<void(torsion_connection*)>;

    static CEnd& of(void* user) { return *static_cast<CEnd*>(user); }

    static torsion_handlers handlers() {
        torsion_handlers functions{};
        functions.size = sizeof functions;
        functions.connection_made = [](torsion_connection* which, void* user) {
            of(user).connection = which;
            ++of(user).made;
            run(of(user).onMade, which);
        };
        functions.data_received = [](torsion_connection* which, const char* data, std::size_t size, void* user) {
            of(user).received.append(data, size);
            run(of(user).onData, which);
        };
        functions.connection_lost = [](torsion_connection* which, const torsion_reason* why, void* user) {
            ++of(user).lost;
            of(user).reason = why->name;
            of(user).message = why->message;
            of(user).clean = why->clean;
            run(of(user).onLost, which);
            of(user).connection = nullptr;
        };
        functions.connection_failed = [](const torsion_reason* why, void* user) {
            ++of(user).failed;
            of(user).reason = why->name;
            of(user).number = why->number;
        };
        functions.released = [](void* user) { ++of(user).released; };
        return functions;
    }

    void echoes() {
        onData = [this](torsion_connection* to) {
            CHECK(torsion_connection_write(to, received.data(), received.size()) == TORSION_OK);
            received.clear();
        };
    }

    torsion_connection* connection = nullptr; // until the loss
    Hook onMade{}, onData{}, onLost{};
    int made = 0, lost = 0, failed = 0, released = 0, clean = -1, number = 0;
    std::string received, reason, message;

private:
    static void run(const Hook& hook, torsion_connection* connection) {
        if (const Hook copy = hook)
            copy(connection);
    }
};

/// Both ends of a connection, made. Ends its host's reactor, which calls them.
struct CPair {
    explicit CPair(CHost& carrier) : host(carrier) {
        const torsion_handlers handlers = CEnd::handlers();
        torsion_listen_options options{};
        options.size = sizeof options;
        options.interface = "127.0.0.1";
        REQUIRE(torsion_listen_tcp(host.reactor, 0, &handlers, &server, &options, &port) == TORSION_OK);
        const int number = torsion_port_number(port);
        REQUIRE(torsion_connect_tcp(host.reactor, "127.0.0.1", number, &handlers, &client, nullptr, &connector) ==
                TORSION_OK);
        REQUIRE(host.until([this] { return server.made == 1 && client.made == 1; }));
    }
    CPair(const CPair&) = delete;
    CPair& operator=(const CPair&) = delete;
    ~CPair() {
        if (host.reactor)
            CHECK(torsion_destroy(std::exchange(host.reactor, nullptr)) == TORSION_OK);
        release();
    }

    void release() {
        if (port)
            CHECK(torsion_port_release(std::exchange(port, nullptr)) == TORSION_OK);
        if (connector)
            CHECK(torsion_connector_release(std::exchange(connector, nullptr)) == TORSION_OK);
    }

    CHost& host;
    CEnd server, client;
    torsion_port* port = nullptr;
    torsion_connector* connector = nullptr;
};

inline void increment(void* user) {
    ++*static_cast<int*>(user);
}

inline bool write(torsion_connection* connection, std::string_view text) {
    return torsion_connection_write(connection, text.data(), text.size()) == TORSION_OK;
}

inline bool lastErrorHas(std::string_view part) {
    return std::string_view(torsion_last_error()).find(part) != std::string_view::npos;
}

} // namespace torsion::test
