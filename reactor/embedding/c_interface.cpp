// torsion.h's reactors and timers.

#include <reactor/embedding/detail/c_handles.hpp>
#include <reactor/libuv/ending.hpp>
#include <reactor/options.hpp>
#include <reactor/reactor.hpp>

#include <spdlog/fmt/fmt.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

using namespace torsion;
using namespace torsion::c;

struct torsion_timer : Counted, TimedCall {
    explicit torsion_timer(torsion_reactor& reactor) : owner(reactor) {}

    const Hold<torsion_reactor> owner;
};

namespace torsion::c {

void checkThread(const torsion_reactor& handle) {
    if (handle.thread != std::this_thread::get_id())
        throw Refusal{TORSION_ERROR_THREAD, "this is not the reactor's thread"};
}

UvReactor& alive(const torsion_reactor& handle) {
    checkThread(handle);
    if (!handle.reactor)
        throw Refusal{TORSION_ERROR_GONE, "the reactor is destroyed"};
    return *handle.reactor;
}

void checkCounting(const torsion_reactor& handle) {
    if (handle.alive)
        checkThread(handle);
}

namespace {

UvReactor& reactorOf(torsion_reactor* handle) {
    return alive(given(handle, "reactor"));
}

Embedding& embeddingOf(torsion_reactor* handle) {
    reactorOf(handle);
    if (!handle->embedding)
        throw Refusal{TORSION_ERROR_STATE, "the reactor is on a libuv loop, which its owner runs"};
    return *handle->embedding;
}

std::chrono::nanoseconds delayOf(std::int64_t nanoseconds) {
    if (nanoseconds < 0)
        throw Refusal{TORSION_ERROR_ARGUMENT, fmt::format("the delay is negative: {} ns", nanoseconds)};
    return std::chrono::nanoseconds(nanoseconds);
}

torsion_timer& timerOf(torsion_timer* timer) {
    alive(*given(timer, "timer").owner);
    return *timer;
}

/// A pointer in place of a code.
template <class T, class F>
T* made(const char* function, F&& make) noexcept {
    T* result = nullptr;
    guard(function, [&] {
        result = make();
        return TORSION_OK;
    });
    return result;
}

template <class F>
int withReactor(const char* function, torsion_reactor* handle, F&& f) noexcept {
    return guard(function, [&] {
        f(reactorOf(handle));
        return TORSION_OK;
    });
}

int codeOf(Dispatched dispatched) {
    switch (dispatched) {
    case Dispatched::Idle:
        return TORSION_IDLE;
    case Dispatched::More:
        return TORSION_MORE;
    case Dispatched::Busy:
        return TORSION_BUSY;
    case Dispatched::Stopped:
        break;
    }
    return TORSION_STOPPED;
}

/// 0: the default; -1: none.
std::chrono::milliseconds patienceOf(std::int64_t milliseconds) {
    if (milliseconds < -1)
        throw Refusal{TORSION_ERROR_ARGUMENT, fmt::format("patience_ms is {}", milliseconds)};
    if (milliseconds == 0)
        return EmbedOptions{}.patience;
    return std::chrono::milliseconds(milliseconds == -1 ? 0 : milliseconds);
}

/// @throws Refusal where it would be under the feet of what runs.
void checkDestroying(const torsion_reactor& handle, UvReactor& reactor) {
    if (handle.depth != 0 || uv::isInUse(reactor))
        throw Refusal{TORSION_ERROR_STATE, "inside of a callback other than on_stopped"};
    if (handle.embedding && handle.process != ::getpid())
        throw Refusal{TORSION_ERROR_STATE, "in a child process without torsion_after_fork(): _exit or exec instead"};
}

void destroy(torsion_reactor& handle, UvReactor& reactor, torsion_function closed, void* user) {
    checkDestroying(handle, reactor);
    std::optional<uv::ClosedNotice> notice;
    if (closed && !handle.embedding)
        notice.emplace(reactor.loop(), closed, user);
    handle.reactor.reset(); // null from now on for what is called meanwhile
    while (!handle.timers.empty())
        handle.timers.popFront().call = DelayedCall();
    std::exchange(handle.connectors, {}).clear(); // tells `released`
    handle.alive = false;                         // from now on nothing of ours is left that other threads could end
    Hold<torsion_reactor>::drop(handle);
    if (notice)
        notice->expect();
    else if (closed)
        contain("closed", closed, user);
}

} // namespace
} // namespace torsion::c

extern "C" {

torsion_reactor* torsion_new(const torsion_options* chosen) {
    return made<torsion_reactor>(__func__, [&] {
        const torsion_options options = taken(chosen, "options");
        auto handle = std::make_unique<torsion_reactor>(std::make_unique<UvReactor>());
        handle->embedding = handle->reactor->embed({
            .singleDescriptor = options.single_descriptor != 0,
            .budget = std::chrono::microseconds(options.budget_us),
            .patience = patienceOf(options.patience_ms),
        });
        return handle.release();
    });
}

torsion_reactor* torsion_new_on_loop(uv_loop_s* loop) {
    return made<torsion_reactor>(__func__, [&] {
        return std::make_unique<torsion_reactor>(std::make_unique<UvReactor>(&given(loop, "loop"))).release();
    });
}

int torsion_destroy(torsion_reactor* reactor) {
    return withReactor(__func__, reactor, [&](UvReactor& loop) { destroy(*reactor, loop, nullptr, nullptr); });
}

int torsion_destroy_then(torsion_reactor* reactor, torsion_function closed, void* user) {
    return withReactor(__func__, reactor, [&](UvReactor& loop) {
        given(closed, "closed");
        destroy(*reactor, loop, closed, user);
    });
}

int torsion_retain(torsion_reactor* reactor) {
    return guard(__func__, [&] {
        ++given(reactor, "reactor").holders;
        return TORSION_OK;
    });
}

int torsion_release(torsion_reactor* reactor) {
    return guard(__func__, [&] {
        if (Hold<torsion_reactor>::dropUnlessLast(given(reactor, "reactor")))
            return TORSION_OK;
        if (reactor->alive)
            throw Refusal{TORSION_ERROR_STATE, "it is the last hold: torsion_destroy() ends the reactor"};
        Hold<torsion_reactor>::drop(*reactor);
        return TORSION_OK;
    });
}

int torsion_descriptor(torsion_reactor* reactor) {
    return guard(__func__, [&] { return embeddingOf(reactor).fd(); });
}

int torsion_timeout(torsion_reactor* reactor) {
    return guard(__func__, [&] {
        const auto wait = embeddingOf(reactor).timeout();
        return wait ? static_cast<int>(wait->count()) : -1;
    });
}

int torsion_dispatch(torsion_reactor* reactor) {
    return guard(__func__, [&] {
        const Hold<torsion_reactor> kept(given(reactor, "reactor")); // on_stopped may destroy it
        Embedding embedding = embeddingOf(reactor);
        return codeOf(embedding.dispatch());
    });
}

int torsion_on_change(torsion_reactor* reactor, torsion_function f, void* user) {
    return guard(__func__, [&] {
        Embedding& embedding = embeddingOf(reactor);
        embedding.onChange(f ? Function<void()>(Callback(f, user)) : nullptr);
        return TORSION_OK;
    });
}

int torsion_on_stopped(torsion_reactor* reactor, torsion_function f, void* user) {
    return withReactor(__func__, reactor,
                       [&](UvReactor& loop) { loop.onStopped(f ? Function<void()>(Callback(f, user)) : nullptr); });
}

int torsion_start(torsion_reactor* reactor) {
    return withReactor(__func__, reactor, [](UvReactor& loop) { loop.start(); });
}

int torsion_stop(torsion_reactor* reactor, int64_t drain) {
    return withReactor(__func__, reactor, [&](UvReactor& loop) {
        if (drain < 0)
            throw Refusal{TORSION_ERROR_ARGUMENT, fmt::format("drain_ms is negative: {}", drain)};
        loop.stop({.drain = std::chrono::milliseconds(drain)});
    });
}

int torsion_is_running(torsion_reactor* reactor) {
    return guard(__func__, [&] { return reactorOf(reactor).isRunning() ? 1 : 0; });
}

int torsion_dispatches(torsion_reactor* reactor, uint64_t* count) {
    return guard(__func__, [&] {
        given(count, "count") = embeddingOf(reactor).dispatches();
        return TORSION_OK;
    });
}

int torsion_times_late(torsion_reactor* reactor, uint64_t* count) {
    return guard(__func__, [&] {
        given(count, "count") = embeddingOf(reactor).timesLate();
        return TORSION_OK;
    });
}

int torsion_after_fork(torsion_reactor* reactor) {
    return guard(__func__, [&] {
        embeddingOf(reactor).afterFork();
        reactor->process = ::getpid();
        return TORSION_OK;
    });
}

int torsion_generation(torsion_reactor* reactor) {
    return guard(__func__, [&] { return static_cast<int>(embeddingOf(reactor).generation()); });
}

uv_loop_s* torsion_loop(torsion_reactor* reactor) {
    return made<uv_loop_s>(__func__, [&] { return reactorOf(reactor).loop(); });
}

int torsion_touch(torsion_reactor* reactor) {
    return withReactor(__func__, reactor, [&](UvReactor&) {
        if (reactor->embedding)
            reactor->embedding->touch();
    });
}

int torsion_call_from_thread(torsion_reactor* reactor, torsion_function f, void* user) {
    return guard(__func__, [&] {
        torsion_reactor& handle = given(reactor, "reactor");
        given(f, "f");
        if (!handle.remote.post(Callback(f, user)))
            throw Refusal{TORSION_ERROR_GONE, "the reactor is destroyed"};
        return TORSION_OK;
    });
}

int torsion_call_later(torsion_reactor* reactor, int64_t delay, torsion_function f, void* user, torsion_timer** timer) {
    return withReactor(__func__, reactor, [&](UvReactor& loop) {
        given(f, "f");
        auto handle = wanted(timer, *reactor);
        DelayedCall call = loop.callLater(delayOf(delay), Callback(f, user));
        if (!handle)
            return;
        handle->call = std::move(call);
        reactor->timers.pushBack(*handle);
        *timer = handle.release();
    });
}

int torsion_timer_cancel(torsion_timer* timer) {
    return guard(__func__, [&] {
        timerOf(timer).call.cancel();
        return TORSION_OK;
    });
}

int torsion_timer_reset(torsion_timer* timer, int64_t delay) {
    return guard(__func__, [&] {
        timerOf(timer).call.reset(delayOf(delay));
        return TORSION_OK;
    });
}

int torsion_timer_is_active(torsion_timer* timer) {
    return guard(__func__, [&] {
        checkThread(*given(timer, "timer").owner);
        return timer->call.active() ? 1 : 0;
    });
}

int torsion_timer_retain(torsion_timer* timer) {
    return retain(__func__, timer);
}

int torsion_timer_release(torsion_timer* timer) {
    return release(__func__, timer);
}
}
