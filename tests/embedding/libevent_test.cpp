// What is particular about libevent as a host.

#include <reactor/embedding/libevent.hpp>

#include <reactor/libuv/uv_reactor.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <optional>
#include <stdexcept>

using namespace torsion;

TEST_CASE("libevent: a base may be freed before the adapter, and before the reactor") {
    for (const bool reactorFirst : {true, false}) {
        std::optional<UvReactor> reactor(std::in_place);
        event_base* base = event_base_new();
        LibeventAdapter inside(reactor->embed(), base);
        reactor->callLater(std::chrono::milliseconds(1), [] {});
        event_base_free(base);
        reactor->callLater(std::chrono::milliseconds(0), [] {});
        inside.refresh();
        CHECK(inside.dispatch() != Dispatched::Stopped);
        if (reactorFirst)
            reactor.reset();
    }
}

TEST_CASE("libevent: reactor, base and adapter may go in this order") {
    std::optional<UvReactor> reactor(std::in_place);
    event_base* base = event_base_new();
    LibeventAdapter inside(reactor->embed(), base);
    reactor->callLater(std::chrono::milliseconds(1), [] {});
    reactor.reset();
    event_base_free(base);
    inside.refresh();
    CHECK(inside.dispatch() == Dispatched::Stopped);
}

TEST_CASE("libevent: an adapter refuses to be without a base, and a priority that the base has not") {
    UvReactor reactor;
    Embedding embedding = reactor.embed();
    CHECK_THROWS_AS(LibeventAdapter(embedding, nullptr), std::invalid_argument);
    event_base* base = event_base_new();
    CHECK_THROWS_AS(LibeventAdapter(embedding, base, 7), std::invalid_argument);
    CHECK_NOTHROW(LibeventAdapter(embedding, base, 0));
    event_base_free(base);
}
