// What is particular about sd-event as a host.

#include <reactor/embedding/sd_event.hpp>

#include "embedding/busy.hpp"
#include "embedding/suite.hpp"
#include "support/log_capture.hpp"

#include <reactor/libuv/uv_reactor.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

using namespace torsion;
using torsion::test::LogCapture;

namespace {

/// That what is ready only when nothing of a higher priority is has its turn beside a reactor that is kept busy.
void checkIdleSources(const std::function<std::shared_ptr<void>(test::HostScene&)>& makeBusy) {
    for (const test::HostKind& kind : test::hostKinds()) {
        if (kind.name != "sd-event")
            continue;
        test::HostScene scene(kind);
        const std::shared_ptr<void> busy = makeBusy(scene);
        sd_event* event = nullptr;
        REQUIRE(sd_event_default(&event) >= 0); // the host's
        sd_event_source* idle = nullptr;
        int turns = 0;
        const auto count = [](sd_event_source*, void* counted) {
            ++*static_cast<int*>(counted);
            return 0;
        };
        REQUIRE(sd_event_add_defer(event, &idle, count, &turns) >= 0);
        sd_event_source_set_priority(idle, SD_EVENT_PRIORITY_IDLE);
        sd_event_source_set_enabled(idle, SD_EVENT_ON);
        const std::uint64_t before = scene.dispatches();
        scene.until([&] { return turns >= 10; });
        CHECK(scene.dispatches() - before >= 9); // in between
        sd_event_source_unref(idle);
        sd_event_unref(event);
    }
}

} // namespace

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

TEST_CASE("sd-event: sources of a lower priority have their turn beside a call that is always due (H19)") {
    checkIdleSources([](test::HostScene& scene) { return std::make_shared<test::Restless>(*scene.reactor); });
}

TEST_CASE("sd-event: sources of a lower priority have their turn beside connections that are always ready (H19)") {
    checkIdleSources([](test::HostScene& scene) {
        auto pairs = test::makeBusy(scene, 3);
        return std::make_shared<decltype(pairs)>(std::move(pairs));
    });
}
