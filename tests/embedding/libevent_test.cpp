// What is particular about libevent as a host.

#include <reactor/embedding/libevent.hpp>

#include "support/log_capture.hpp"

#include <reactor/libuv/uv_reactor.hpp>

#include <doctest/doctest.h>
#include <malloc.h>
#include <uv.h>

#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <string>

using namespace torsion;
using torsion::test::LogCapture;

namespace {

/// While it lives libevent's memory is these functions'. The heap is malloc's all the same.
struct Memory {
    Memory(void* (*allocate)(std::size_t), void* (*reallocate)(void*, std::size_t), void (*release)(void*)) {
        event_set_mem_functions(allocate, reallocate, release);
    }
    Memory(const Memory&) = delete;
    Memory& operator=(const Memory&) = delete;
    ~Memory() { event_set_mem_functions(nullptr, nullptr, nullptr); }
};

struct NoMemory : Memory {
    NoMemory()
        : Memory([](std::size_t) -> void* { return nullptr; }, [](void*, std::size_t) -> void* { return nullptr; },
                 &std::free) {}
};

/// What is freed is of no use any more.
struct SpoilingMemory : Memory {
    SpoilingMemory()
        : Memory(&std::malloc, &std::realloc, [](void* block) {
              if (block)
                  std::memset(block, 0x5a, ::malloc_usable_size(block));
              std::free(block);
          }) {}
};

} // namespace

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

TEST_CASE("libevent: a base may be freed while the adapter does not watch, in a libuv callback of the program's") {
    const SpoilingMemory memory;
    UvReactor reactor;
    event_base* base = event_base_new();
    LibeventAdapter inside(reactor.embed(), base);
    const auto freeBase = [&] {
        CHECK(inside.dispatch() == Dispatched::Busy);
        event_base_free(base);
        base = nullptr;
    };
    uv_prepare_t handle;
    uv_prepare_init(reactor.loop(), &handle);
    const Function<void()> f(freeBase);
    handle.data = const_cast<Function<void()>*>(&f);
    uv_prepare_start(&handle, [](uv_prepare_t* started) {
        uv_close(reinterpret_cast<uv_handle_t*>(started), nullptr);
        (*static_cast<Function<void()>*>(started->data))();
    });
    inside.dispatch();
    CHECK(base == nullptr);
    reactor.callLater(std::chrono::milliseconds(0), [] {});
    inside.refresh();
    inside.dispatch();
}

TEST_CASE("libevent: a base that the reactor's end leaves without events is done") {
    std::optional<UvReactor> reactor(std::in_place);
    event_base* base = event_base_new();
    const LibeventAdapter inside(reactor->embed(), base);
    reactor.reset();
    CHECK(event_base_dispatch(base) >= 0);
    CHECK(event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED) == 0);
    event_base_free(base);
}

TEST_CASE("libevent: a timer that it has no memory for is asked for again") {
    LogCapture log;
    UvReactor reactor;
    event_base* base = event_base_new();
    {
        LibeventAdapter inside(reactor.embed(), base);
        bool called = false;
        {
            const NoMemory none;
            reactor.callLater(std::chrono::milliseconds(20), [&] { called = true; });
        }
        CHECK(log.text().find("event_add failed") != std::string::npos);
        inside.refresh();
        const timeval limit{60, 0};
        event_base_loopexit(base, &limit);
        while (!called && event_base_got_exit(base) == 0)
            event_base_loop(base, EVLOOP_ONCE);
        CHECK(called);
    }
    event_base_free(base);
}
