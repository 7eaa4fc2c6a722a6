// What is particular about GLib.

#include <reactor/embedding/glib.hpp>
#include <reactor/libuv/uv_reactor.hpp>

#include "embedding/busy.hpp"
#include "embedding/suite.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

using namespace std::chrono_literals;
using namespace torsion;

namespace {

/// A source that calls whenever GLib prepares to wait, and asks for nothing.
struct PrepareSource {
    GSource base;
    const std::function<void()>* f;

    static gboolean prepare(GSource* source, gint* timeout) {
        (*reinterpret_cast<PrepareSource*>(source)->f)();
        *timeout = -1;
        return FALSE;
    }
};

struct Context {
    GMainContext* context = g_main_context_new();

    Context() = default;
    Context(const Context&) = delete;
    Context& operator=(const Context&) = delete;
    ~Context() { g_main_context_unref(context); }

    void iterate() { g_main_context_iteration(context, TRUE); }
};

/// A source at the priority at which GTK draws, which counts how often it comes.
struct Redraws {
    Redraws(GSource* itsSource, GMainContext* context) : source(itsSource) {
        g_source_set_priority(source, G_PRIORITY_HIGH_IDLE + 20);
        g_source_set_callback(
            source,
            [](gpointer data) -> gboolean {
                ++*static_cast<int*>(data);
                return G_SOURCE_CONTINUE;
            },
            &count, nullptr);
        g_source_attach(source, context);
    }
    Redraws(const Redraws&) = delete;
    Redraws& operator=(const Redraws&) = delete;
    ~Redraws() {
        g_source_destroy(source);
        g_source_unref(source);
    }

    GSource* source;
    int count = 0;
};

/// That what is always ready, and what is from time to time, has its turn beside a reactor that `makeBusy` keeps busy.
void checkRedraws(const std::function<std::shared_ptr<void>(torsion::test::HostScene&)>& makeBusy) {
    for (const torsion::test::HostKind& kind : torsion::test::hostKinds()) {
        if (!kind.name.starts_with("GLib"))
            continue;
        for (const bool always : {true, false}) {
            torsion::test::HostScene scene(kind);
            const std::shared_ptr<void> busy = makeBusy(scene);
            Redraws redraws(always ? g_idle_source_new() : g_timeout_source_new(1),
                            g_main_context_get_thread_default()); // the host's
            const std::uint64_t before = scene.dispatches();
            scene.until([&] { return redraws.count == 10; });
            CHECK(scene.dispatches() - before >= 9); // in between
        }
    }
}

} // namespace

TEST_CASE("GLib: an adapter for no context in particular is in the default one, which a GMainLoop runs") {
    UvReactor reactor;
    const GLibAdapter inside(reactor.embed());
    GMainLoop* const loop = g_main_loop_new(nullptr, FALSE);
    int calls = 0;
    reactor.onStopped([&] { g_main_loop_quit(loop); });
    reactor.start();
    reactor.callLater(1ms, [&] {
        ++calls;
        reactor.stop();
    });
    g_main_loop_run(loop);
    g_main_loop_unref(loop);
    CHECK(calls == 1);
}

TEST_CASE("GLib: what another source's prepare begins, after ours has said how long it waits, is seen (H2)") {
    Context host;
    UvReactor reactor;
    const GLibAdapter inside(reactor.embed(), host.context);
    reactor.callLater(1h, [] {});
    while (g_main_context_iteration(host.context, FALSE)) {
    }
    bool set = false;
    bool called = false;
    const std::function<void()> f = [&] {
        if (!std::exchange(set, true))
            reactor.callLater(1ms, [&] { called = true; });
    };
    static GSourceFuncs functions{&PrepareSource::prepare, nullptr, nullptr, nullptr, nullptr, nullptr};
    GSource* const other = g_source_new(&functions, sizeof(PrepareSource));
    reinterpret_cast<PrepareSource*>(other)->f = &f;
    g_source_attach(other, host.context); // of the same priority, and later: prepared after ours
    while (!called)
        host.iterate();
    g_source_destroy(other);
    g_source_unref(other);
}

TEST_CASE("GLib: what a host's callback begins costs no wake-up: the context asks anyway") {
    Context host;
    UvReactor reactor;
    const GLibAdapter inside(reactor.embed(), host.context);
    while (g_main_context_iteration(host.context, FALSE)) {
    }
    bool set = false;
    GSource* const timer = g_timeout_source_new(1);
    g_source_set_callback(
        timer,
        [](gpointer data) -> gboolean {
            *static_cast<bool*>(data) = true;
            return G_SOURCE_REMOVE;
        },
        &set, nullptr);
    g_source_attach(timer, host.context);
    while (!set)
        host.iterate();
    g_source_unref(timer);
    while (g_main_context_iteration(host.context, FALSE)) {
    }
    reactor.callLater(1h, [] {}); // as if in that callback: between two iterations
    gint longest = 0;
    gint priority = 0;
    GPollFD watched[8];
    REQUIRE(g_main_context_acquire(host.context));
    g_main_context_prepare(host.context, &priority);
    const gint count = g_main_context_query(host.context, priority, &longest, watched, 8);
    CHECK(g_poll(watched, static_cast<guint>(count), 0) == 0);
    CHECK(longest > 0);
    g_main_context_check(host.context, priority, watched, count);
    g_main_context_release(host.context);
}

TEST_CASE("GLib: a context that everybody else has let go of lives as long as the adapter") {
    UvReactor reactor;
    std::optional<GLibAdapter> inside;
    {
        const Context host;
        inside.emplace(reactor.embed(), host.context);
    }
    bool called = false;
    reactor.callLater(0ms, [&] { called = true; });
    inside->dispatch();
    CHECK(called);
    inside.reset();
    reactor.callLater(0ms, [] {});
}

TEST_CASE("GLib: a source of a higher priority goes before the reactor") {
    Context host;
    UvReactor reactor;
    const GLibAdapter inside(reactor.embed(), host.context, G_PRIORITY_LOW);
    std::string order;
    reactor.callLater(0ms, [&] { order += 'r'; });
    GSource* const idle = g_idle_source_new();
    g_source_set_callback(
        idle,
        [](gpointer data) -> gboolean {
            std::string& seen = *static_cast<std::string*>(data);
            seen += 'i';
            return seen.size() < 3 ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
        },
        &order, nullptr);
    g_source_attach(idle, host.context);
    while (order.find('r') == order.npos)
        host.iterate();
    g_source_unref(idle);
    CHECK(order == "iiir");
}

TEST_CASE("GLib: GTK's drawing has its turn beside a call that is always due (H19)") {
    checkRedraws([](test::HostScene& scene) { return std::make_shared<test::Restless>(*scene.reactor); });
}

TEST_CASE("GLib: GTK's drawing has its turn beside connections that are always ready (H19)") {
    checkRedraws([](test::HostScene& scene) {
        auto pairs = test::makeBusy(scene, 3);
        return std::make_shared<decltype(pairs)>(std::move(pairs));
    });
}

TEST_CASE("GLib: a reactor that is not busy costs one poll for each dispatch") {
    static std::uint64_t polls;
    Context host;
    UvReactor reactor;
    GLibAdapter inside(reactor.embed(), host.context);
    g_main_context_set_poll_func(host.context, [](GPollFD* watched, guint count, gint limit) {
        ++polls;
        return g_poll(watched, count, limit);
    });
    host.iterate();
    int calls = 0;
    const std::function<void()> again = [&] {
        ++calls;
        reactor.callLater(2ms, again);
    };
    again();
    const std::uint64_t before = inside.embedding().dispatches();
    polls = 0;
    while (calls <= 50)
        host.iterate();
    CHECK(polls <= inside.embedding().dispatches() - before + 5); // a machine that stands still looks busy
}
