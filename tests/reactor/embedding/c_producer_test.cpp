// Producers of the C interface.

#include "c_support.hpp"

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>

using namespace torsion::test;

namespace {

/// Makes `left` bytes, in pieces; as a push producer until it is paused.
struct Source {
    static constexpr std::size_t kAll = 20'000'000; // more than the kernel takes
    static constexpr std::size_t kPiece = 10'000;
    std::size_t left = kAll;
    int resumed = 0, paused = 0, stopped = 0;
    bool pushing = false;

    bool piece(torsion_connection* to) {
        const std::string bytes(std::min(left, kPiece), 'x');
        left -= bytes.size();
        CHECK(torsion_connection_write(to, bytes.data(), bytes.size()) == TORSION_OK);
        if (left != 0)
            return true;
        CHECK(torsion_connection_unregister_producer(to) == TORSION_OK);
        return pushing = false;
    }

    static torsion_producer functions(bool push) {
        torsion_producer made{};
        made.size = sizeof made;
        made.resume = [](torsion_connection* to, void* user) {
            auto& self = *static_cast<Source*>(user);
            ++self.resumed;
            self.piece(to);
        };
        made.stop = [](torsion_connection*, void* user) { ++static_cast<Source*>(user)->stopped; };
        if (push) {
            made.resume = [](torsion_connection* to, void* user) {
                auto& self = *static_cast<Source*>(user);
                ++self.resumed;
                self.pushing = true;
                while (self.pushing && self.piece(to)) {
                }
            };
            made.pause = [](torsion_connection*, void* user) {
                ++static_cast<Source*>(user)->paused;
                static_cast<Source*>(user)->pushing = false;
            };
        }
        return made;
    }
};

} // namespace

TEST_CASE("C: a producer makes bytes at the connection's pace, and a close waits for it") {
    for (const bool push : {false, true}) {
        CHost host;
        CPair pair(host);
        Source source;
        const torsion_producer functions = Source::functions(push);
        torsion_connection* const connection = pair.server.connection;
        REQUIRE(torsion_connection_register_producer(connection, &functions, &source) == TORSION_OK);
        CHECK(torsion_connection_register_producer(connection, &functions, &source) == TORSION_ERROR_STATE);
        CHECK(lastErrorHas("has a producer already"));
        CHECK(torsion_connection_lose(connection) == TORSION_OK);
        if (push)
            source.pushing = true; // a push producer pushes by itself
        while (push && source.pushing && source.piece(connection)) {
        }
        CHECK(host.until([&] { return pair.client.lost == 1 && pair.server.lost == 1; }));
        CHECK(pair.client.received.size() == Source::kAll);
        CHECK(pair.client.clean == 1);
        CHECK(source.stopped == 0);
        CHECK((source.paused != 0) == push);
    }
}

TEST_CASE("C: a producer is told when its connection is lost") {
    CHost host;
    CPair pair(host);
    Source source;
    torsion_producer functions = Source::functions(false);
    torsion_connection_pause_reading(pair.client.connection);
    REQUIRE(torsion_connection_register_producer(pair.server.connection, &functions, &source) == TORSION_OK);
    CHECK(torsion_connection_abort(pair.server.connection) == TORSION_OK);
    CHECK(host.until([&] { return pair.server.lost == 1; }));
    CHECK(source.stopped == 1);
    functions.resume = nullptr;
    CHECK(torsion_connection_register_producer(pair.client.connection, &functions, &source) == TORSION_ERROR_ARGUMENT);
    CHECK(torsion_destroy(std::exchange(host.reactor, nullptr)) == TORSION_OK);
}

TEST_CASE(
    "C: where nothing can be written any more a producer's stop comes inside of the registering, where the reactor "
    "cannot be destroyed, and is the last that it hears") {
    CHost host;
    CPair pair(host);
    struct Late {
        CHost& host;
        CPair& pair;
        bool registering = false;
        bool dialog = false;
        int stopped = 0;
        int destroyed = TORSION_OK;
    };
    torsion_producer functions{};
    functions.size = sizeof functions;
    functions.resume = [](torsion_connection*, void*) { FAIL("it was not registered"); };
    functions.stop = [](torsion_connection*, void* user) {
        Late& late = *static_cast<Late*>(user);
        CHECK(late.registering);
        ++late.stopped;
        late.destroyed = torsion_destroy(late.host.reactor);
        if (late.dialog)
            CHECK(late.host.until([&] { return late.pair.server.lost == 1; }));
    };
    torsion_connection* const connection = pair.server.connection;
    CHECK(torsion_connection_lose(connection) == TORSION_OK);
    for (const bool dialog : {false, true}) {
        Late late{host, pair};
        late.dialog = dialog;
        late.registering = true;
        CHECK(torsion_connection_register_producer(connection, &functions, &late) == TORSION_OK);
        late.registering = false;
        CHECK(late.stopped == 1);
        CHECK(late.destroyed == TORSION_ERROR_STATE);
    }
    CHECK(host.until([&] { return pair.server.lost == 1 && pair.client.lost == 1; }));
}

TEST_CASE("C: a push producer is paused inside of the write that fills the buffer") {
    CHost host;
    CPair pair(host);
    Source source;
    const torsion_producer functions = Source::functions(true);
    torsion_connection_pause_reading(pair.client.connection);
    REQUIRE(torsion_connection_register_producer(pair.server.connection, &functions, &source) == TORSION_OK);
    const std::string all(Source::kAll, 'x');
    CHECK(write(pair.server.connection, all));
    CHECK(source.paused == 1);
    CHECK(torsion_connection_abort(pair.server.connection) == TORSION_OK);
    CHECK(host.until([&] { return pair.server.lost == 1; }));
    CHECK(torsion_destroy(std::exchange(host.reactor, nullptr)) == TORSION_OK); // before the source
}
