// The structures that callers of the C interface fill.

#include "c_support.hpp"

#include "support/log_capture.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <thread>

using namespace torsion::test;

namespace {

/// Whether a call is refused for the size of the structure that it takes.
template <class T, class F>
void checkSizes(T& structure, F&& call) {
    for (std::size_t size = 0; size < sizeof(T); ++size) {
        structure.size = size;
        CHECK(call(&structure) == TORSION_ERROR_ARGUMENT);
        CHECK(lastErrorHas("its size"));
    }
    structure.size = ~std::size_t(0);
    CHECK(call(&structure) == TORSION_ERROR_ARGUMENT);

    struct Newer {
        T known;
        char more[16];
    } newer{structure, {}};
    newer.known.size = sizeof newer;
    CHECK(call(&newer.known) == TORSION_OK);
    newer.more[15] = 1;
    CHECK(call(&newer.known) == TORSION_ERROR_ARGUMENT);
    CHECK(lastErrorHas("newer"));
    structure.size = sizeof structure;
    CHECK(call(&structure) == TORSION_OK);
}

} // namespace

TEST_CASE("C: a structure has version 1's size at least, and may be longer by zeros; every other size is refused") {
    CHost host;
    CPair pair(host);
    CEnd end;
    torsion_options options{};
    checkSizes(options, [](const torsion_options* chosen) {
        torsion_reactor* const made = torsion_new(chosen);
        return made ? torsion_destroy(made) : int(TORSION_ERROR_ARGUMENT);
    });
    torsion_handlers handlers{};
    checkSizes(handlers, [&](const torsion_handlers* chosen) {
        return torsion_listen_tcp(host.reactor, 0, chosen, nullptr, nullptr, nullptr);
    });
    torsion_listen_options listening{};
    checkSizes(listening, [&](const torsion_listen_options* chosen) {
        return torsion_listen_tcp(host.reactor, 0, &handlers, nullptr, chosen, nullptr);
    });
    torsion_connect_options connecting{};
    checkSizes(connecting, [&](const torsion_connect_options* chosen) {
        return torsion_connect_tcp(host.reactor, "127.0.0.1", torsion_port_number(pair.port), &handlers, nullptr,
                                   chosen, nullptr);
    });
    torsion_producer producer{};
    producer.resume = [](torsion_connection*, void*) {};
    checkSizes(producer, [&](const torsion_producer* chosen) {
        torsion_connection_unregister_producer(pair.client.connection);
        return torsion_connection_register_producer(pair.client.connection, chosen, nullptr);
    });
}

TEST_CASE("C: options out of range are refused") {
    torsion_options options{};
    options.size = sizeof options;
    options.budget_us = -1;
    CHECK(torsion_new(&options) == nullptr);
    CHECK(lastErrorHas("budget"));
    options.budget_us = 0;
    options.patience_ms = -2;
    CHECK(torsion_new(&options) == nullptr);
    CHECK(lastErrorHas("patience_ms is -2"));
}

TEST_CASE("C: dispatches are counted, and a host that does not come round in time is, too") {
    for (const std::int64_t patience : {std::int64_t(1), std::int64_t(0), std::int64_t(-1)}) {
        LogCapture log;
        torsion_options options{};
        options.size = sizeof options;
        options.patience_ms = patience;
        torsion_reactor* const reactor = torsion_new(&options);
        REQUIRE(reactor);
        std::uint64_t count = 1;
        CHECK(torsion_dispatches(reactor, &count) == TORSION_OK);
        CHECK(count == 0);
        torsion_dispatch(reactor);
        CHECK(torsion_dispatches(reactor, &count) == TORSION_OK);
        CHECK(count == 1);
        CHECK(torsion_dispatches(reactor, nullptr) == TORSION_ERROR_ARGUMENT);

        int ran = 0;
        torsion_call_later(reactor, 0, increment, &ran, nullptr);
        CHECK(torsion_timeout(reactor) == 0);
        const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(3);
        while (std::chrono::steady_clock::now() < end) { // the host is elsewhere
        }
        CHECK(torsion_times_late(reactor, nullptr) == TORSION_ERROR_ARGUMENT);
        torsion_dispatch(reactor);
        CHECK(torsion_times_late(reactor, &count) == TORSION_OK);
        CHECK(count == (patience == 1 ? 1 : 0));
        CHECK((log.count(spdlog::level::warn) != 0) == (patience == 1));
        CHECK(torsion_destroy(reactor) == TORSION_OK);
    }
}
