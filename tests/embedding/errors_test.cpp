// What goes wrong inside of a host: user code that throws, a dispatch where there can be none, the wrong thread.

#include "embedding/suite.hpp"
#include "support/child.hpp"
#include "support/hosted.hpp"
#include "support/log_capture.hpp"
#include "support/skip.hpp"

#include <doctest/doctest.h>

#include <uv.h>

#include <functional>
#include <stdexcept>
#include <string>
#include <thread>

using namespace std::chrono_literals;
using namespace torsion;
using namespace torsion::test;

namespace {

/// A libuv timer of the program's own, on the reactor's loop.
class LoopTimer {
public:
    LoopTimer(HostScene& scene, std::function<void()> f) : scene_(scene), f_(std::move(f)) {
        uv_timer_init(scene.reactor->loop(), &timer_);
        timer_.data = this;
        uv_timer_start(&timer_, &LoopTimer::fired, 1, 0);
        if (scene.embedding)
            scene.embedding->touch();
    }
    LoopTimer(const LoopTimer&) = delete;
    LoopTimer& operator=(const LoopTimer&) = delete;

    void close() {
        timer_.data = &closed_;
        uv_close(reinterpret_cast<uv_handle_t*>(&timer_),
                 [](uv_handle_t* handle) { *static_cast<bool*>(handle->data) = true; });
        if (scene_.embedding)
            scene_.embedding->touch();
        scene_.until([&] { return closed_; });
    }

private:
    static void fired(uv_timer_t* timer) { static_cast<LoopTimer*>(timer->data)->f_(); }

    HostScene& scene_;
    std::function<void()> f_;
    uv_timer_t timer_{};
    bool closed_ = false;
};

} // namespace

HOST_CASE("an exception of a protocol's is logged and ends its connection, and the host goes on") {
    const LogCapture log;
    HostPair good(scene, echoing());
    HostPair bad(scene, {.data = [](HookedProtocol&) { throw std::runtime_error("a bug of a protocol's"); }});
    bad.client->transport->write("x");
    scene.until([&] { return bad.server->record->lost == 1 && bad.client->record->lost == 1; });
    CHECK(log.contains("a bug of a protocol's"));
    good.client->transport->write("hello");
    scene.until([&] { return good.client->record->received == "hello"; });
}

HOST_CASE("an exception of a timed call's, of a call from a thread, or of onStopped is logged, and the host goes on") {
    const LogCapture log;
    reactor.callLater(1ms, [] { throw std::runtime_error("a bug of a timer's"); });
    reactor.callFromThread([] { throw std::runtime_error("a bug of a thread's"); });
    scene.until([&] { return log.contains("a bug of a timer's") && log.contains("a bug of a thread's"); });
    reactor.onStopped([] { throw std::runtime_error("a bug at the end"); });
    reactor.start();
    reactor.stop();
    scene.until([&] { return log.contains("a bug at the end"); });
    bool called = false;
    reactor.callLater(1ms, [&] { called = true; });
    scene.until([&] { return called; });
}

ADAPTER_CASE("H9: a dispatch inside of libuv's poll is busy and does nothing, and the host goes on after it") {
    bool fired = false;
    LoopTimer timer(scene, [&] {
        CHECK(host.dispatch() == Dispatched::Busy);
        CHECK(host.dispatch() == Dispatched::Busy);
        fired = true;
    });
    scene.until([&] { return fired; });
    timer.close();
    HostPair pair(scene, echoing());
    pair.client->transport->write("hello");
    scene.until([&] { return pair.client->record->received == "hello"; });
}

ADAPTER_CASE("H9: a host's loop inside of libuv's poll does not spin, and goes on with everything after it") {
    if (!host.nests())
        return;
    HostPair pair(scene, echoing());
    scene.settle();
    bool fired = false;
    LoopTimer timer(scene, [&] {
        pair.client->transport->write("hello"); // makes the descriptor readable
        const std::uint64_t before = scene.dispatches();
        const auto since = std::chrono::steady_clock::now();
        int hostTimers = 0;
        for (const auto delay : {5ms, 10ms, 20ms})
            host.after(delay, [&] { ++hostTimers; });
        scene.until([&] { return hostTimers == 3; });
        CHECK_FALSE(spins(scene, before, since));
        fired = true;
    });
    scene.until([&] { return fired; });
    timer.close();
    scene.until([&] { return pair.client->record->received == "hello"; });
}

ADAPTER_CASE("an adapter that is made, or dispatches, on another thread ends the program") {
#if defined(NDEBUG)
    support::reportSkip("debug", "assertions are compiled out");
#elif defined(__SANITIZE_THREAD__)
    support::reportSkip("sanitizer", "it lets no child process have threads");
#else
    const auto inChild = [](auto misuse) { return runInChild([&] { std::thread(misuse).join(); }); };
    const ChildEnd dispatched = inChild([&] { host.dispatch(); });
    CHECK(dispatched.wasAborted());
    CHECK(dispatched.said.find("used outside its thread") != std::string::npos);
    scene.detach();
    CHECK(inChild([&] { host.attach(*scene.embedding); }).wasAborted()); // by the host itself, if it knows first
#endif
}

ADAPTER_CASE("a host that never runs its loop gets nothing done, and everything ends with the reactor") {
    const auto server = HookedFactory::make();
    const auto client = HookedFactory::make();
    reactor.start();
    const auto port = scene.listen(server);
    reactor.connectTCP("127.0.0.1", port->getHost().port(), client);
    reactor.callLater(0ms, [] { FAIL("called without a host"); });
    reactor.callFromThread([] { FAIL("called without a host"); });
    scene.destroyReactor();
    CHECK(client->failures == 1);
    CHECK(server->stopped == 1);
    CHECK(server->built == 0);
}
