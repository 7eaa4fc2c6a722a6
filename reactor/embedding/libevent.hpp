#pragma once

#include <reactor/embedding/adapter.hpp>
#include <reactor/embedding/detail/deadline.hpp>

#include <event2/event.h>
#include <event2/event_struct.h>

#include <sys/time.h>

#include <chrono>
#include <stdexcept>
#include <utility>

namespace torsion {

/// A reactor inside of libevent (2.1 or newer).
///
/// @code
/// event_base* base = event_base_new();
/// torsion::UvReactor reactor;
/// torsion::LibeventAdapter adapter(reactor.embed(), base);
/// adapter.embedding().onStopped([&] { event_base_loopbreak(base); });
/// reactor.start();
/// event* interrupt = evsignal_new(base, SIGINT, &stop, &reactor);   // calls reactor.stop()
/// event_add(interrupt, nullptr);
/// event_base_dispatch(base);
/// @endcode
///
/// - Its events keep `event_base_dispatch` from returning for lack of events, while it lives, and the reactor.
/// - libevent runs no loop inside of a loop on the same base, so there is none inside of callbacks.
/// - A base's clock is coarse (4 ms on many systems) unless it was made with EVENT_BASE_FLAG_PRECISE_TIMER, and calls
///   are late by as much; embedded with `{.singleDescriptor = true}` the reactor has a timer of its own.
/// - Events of the base's other priorities: libevent calls none of a lower one while one of a higher is ready, so a
///   reactor that is always busy starves these. A base has one priority, unless it was told otherwise; in that, all
///   take turns. Give the reactor the last one where that matters.
/// - Out of memory inside of it (not in a callback of the program's, whose exceptions are logged), the program ends:
///   libevent is C, and nothing can be thrown through it.
/// - The base may be freed first, by its owner, outside of its loop; the reactor stands still then.
/// - After fork(), in the child: `event_reinit(base)`, then `afterFork()`.
class LibeventAdapter final : public Adapter {
public:
    /// @param priority as in event_priority_set(3); -1: libevent's default
    /// @throws std::invalid_argument for a null base, or a priority that it has not; std::runtime_error when it takes
    ///         no event; std::logic_error when the reactor has a host
    LibeventAdapter(Embedding embedding, event_base* base, int priority = -1) : Adapter(std::move(embedding)) {
        if (!base)
            throw std::invalid_argument("LibeventAdapter: no event_base");
        this->embedding().timeout(); // on another thread that is asserted, before libevent is asked
        prepare(base, priority);
        attach();
    }

    ~LibeventAdapter() override {
        detach();
        takeOut(time_);
        takeOut(marker_);
        event_debug_unassign(&input_);
        event_debug_unassign(&time_);
        event_debug_unassign(&marker_);
    }

private:
    void prepare(event_base* base, int priority) {
        const bool assigned = event_assign(&input_, base, -1, 0, &onInput, this) == 0 &&
                              evtimer_assign(&time_, base, &onTime, this) == 0 &&
                              evtimer_assign(&marker_, base, &onMarker, this) == 0;
        if (!assigned)
            throw std::runtime_error("event_assign failed");
        base_ = base;
        priority_ = priority;
        if (priority >= 0 && event_priority_set(&time_, priority) != 0)
            throw std::invalid_argument("LibeventAdapter: the base has no such priority");
    }

    void watch(int descriptor) override {
        if (baseGone())
            return;
        takeOut(marker_);
        marked_ = false;
        if (event_assign(&input_, base_, descriptor, EV_READ | EV_PERSIST, &onInput, this) != 0)
            throw std::runtime_error("event_assign failed");
        if (priority_ >= 0)
            event_priority_set(&input_, priority_);
        if (event_add(&input_, nullptr) != 0)
            throw std::runtime_error("event_add failed");
        added_ = true;
    }

    void unwatch() noexcept override {
        gone_ = baseGone();
        takeOut(input_);
        added_ = false;
        if (*self()) // not at the end
            mark({0, 0});
    }

    /// Something of ours is in the base while the input is not, to know it by: fires when the loop goes on, and again
    /// as long as it is needed, seldom.
    void mark(timeval after) noexcept { marked_ = !gone_ && event_add(&marker_, &after) == 0; }

    void wake(Wait wait) noexcept override {
        if (baseGone() || !deadline_.change(wait))
            return;
        if (!wait) {
            takeOut(time_);
            return;
        }
        using namespace std::chrono;
        // Counted from the time that the loop has cached, which a long callback has left behind.
        event_base_update_cache_time(base_);
        const microseconds left = *wait;
        const timeval interval{static_cast<time_t>(left.count() / 1'000'000),
                               static_cast<suseconds_t>(left.count() % 1'000'000)};
        if (event_add(&time_, &interval) == 0)
            return;
        deadline_.fired(); // the next one that is asked for is new
        log::error("embedding: event_add failed, and timed calls are late");
    }

    static bool isIn(const event& event) noexcept {
        constexpr int kIn = EVLIST_INSERTED | EVLIST_TIMEOUT | EVLIST_ACTIVE | EVLIST_ACTIVE_LATER;
        return (event.ev_evcallback.evcb_flags & kIn) != 0;
    }

    /// Does not look at the base when there is nothing to do: that may be gone.
    static void takeOut(event& event) noexcept {
        if (isIn(event))
            event_del(&event);
    }

    /// event_base_free() takes all events out, and tells nobody: an event that is not in, though nobody took it out,
    /// was in a base that is no more.
    bool baseGone() const noexcept {
        return gone_ || (added_ && !isIn(input_)) || (marked_ && !isIn(marker_)) || (deadline_.time() && !isIn(time_));
    }

    static void onInput(evutil_socket_t, short, void* self) noexcept {
        static_cast<LibeventAdapter*>(self)->dispatch();
    }

    static void onTime(evutil_socket_t, short, void* self) noexcept {
        auto* adapter = static_cast<LibeventAdapter*>(self);
        adapter->deadline_.fired();
        adapter->dispatch();
    }

    /// Not watching still, or no more.
    static void onMarker(evutil_socket_t, short, void* self) noexcept {
        auto* adapter = static_cast<LibeventAdapter*>(self);
        adapter->marked_ = false;
        if (!adapter->added_ && adapter->embedding().reactor())
            adapter->mark({1, 0});
    }

    event_base* base_ = nullptr;
    int priority_ = -1;
    event input_{};
    event time_{};
    event marker_{};
    bool added_ = false;  // input_
    bool marked_ = false; // marker_ is added
    bool gone_ = false;   // the base, when that was noticed as the input was taken out
    detail::Deadline deadline_;
};

} // namespace torsion
