// What is particular about sd-event as a host.

#include <reactor/embedding/sd_event.hpp>

#include "support/log_capture.hpp"

#include <reactor/libuv/uv_reactor.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <system_error>

using namespace torsion;
using torsion::test::LogCapture;

TEST_CASE("sd-event: an adapter that cannot be made says which call has failed") {
    UvReactor reactor;
    Embedding embedding = reactor.embed();
    try {
        SdEventAdapter(embedding, nullptr);
        FAIL("made without an event loop");
    } catch (const std::system_error& error) {
        CHECK(std::string(error.what()).starts_with("sd_event_add_time: "));
        CHECK(error.code() == std::errc::invalid_argument);
    }
    CHECK_NOTHROW(embedding.onGone([] {})); // nothing of it is left
}

TEST_CASE("sd-event: a loop that has ended takes no timers, and the reactor lives on") {
    LogCapture log;
    UvReactor reactor;
    sd_event* event = nullptr;
    sd_event_new(&event);
    SdEventAdapter inside(reactor.embed(), event);
    sd_event_unref(event); // the adapter has one more
    bool called = false;
    reactor.callLater(std::chrono::milliseconds(0), [&] {
        called = true;
        sd_event_exit(event, 7);
    });
    CHECK(sd_event_loop(event) == 7);
    CHECK(called);
    reactor.callLater(std::chrono::milliseconds(1), [] {});
    inside.refresh();
    CHECK(log.text() == "");
}
