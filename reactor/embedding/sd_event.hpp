#pragma once

#include <reactor/embedding/adapter.hpp>
#include <reactor/embedding/detail/deadline.hpp>
#include <reactor/embedding/detail/turns.hpp>

#include <systemd/sd-event.h>

#include <sys/epoll.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <limits>
#include <memory>
#include <system_error>
#include <utility>

namespace torsion {

/// A reactor inside of sd-event, systemd's event loop.
///
/// @code
/// sd_event* event = nullptr;
/// sd_event_default(&event);
/// torsion::UvReactor reactor;
/// torsion::SdEventAdapter adapter(reactor.embed(), event);
/// adapter.embedding().onStopped([&] { sd_event_exit(event, 0); });
/// reactor.start();
/// sd_event_add_signal(event, nullptr, SIGTERM, &stop, &reactor);    // calls reactor.stop(); the signal is blocked
/// sd_event_loop(event);
/// @endcode
///
/// - Asks how long it may wait before each wait, so raw handles on `UvReactor::loop()` need no `touch()`.
/// - sd-event runs no loop inside of a loop (-EBUSY), so there is none inside of callbacks.
/// - Holds a reference to the event loop. Sources of a higher priority come before the reactor, and it before those of
///   a lower one; but a reactor that is always busy is the last for one turn each 5 ms.
/// - Out of memory inside of it (not in a callback of the program's, whose exceptions are logged), the program ends:
///   sd-event is C, and nothing can be thrown through it.
/// - `sd_event_exit()` ends the dispatches at once: stop the reactor first, and exit in `onStopped`.
/// - An event loop does not go on in a child process after fork(); there the adapter can be destroyed, no more.
class SdEventAdapter final : public Adapter {
public:
    /// @param priority of the reactor among the sources; the smaller the earlier
    /// @throws std::system_error naming the call that failed; std::logic_error when the reactor has a host
    SdEventAdapter(Embedding embedding, sd_event* event, std::int64_t priority = SD_EVENT_PRIORITY_NORMAL)
        : Adapter(std::move(embedding)), event_(sd_event_ref(event)), priority_(priority) {
        this->embedding().timeout(); // on another thread that is asserted, before sd-event is asked
        sd_event_source* time = nullptr;
        check(sd_event_add_time(event, &time, CLOCK_MONOTONIC, 0, kAccuracy, &onTime, this), "sd_event_add_time");
        time_.reset(time);
        check(sd_event_source_set_enabled(time, SD_EVENT_OFF), "sd_event_source_set_enabled");
        check(sd_event_source_set_priority(time, priority_), "sd_event_source_set_priority");
        attach();
    }

    ~SdEventAdapter() override { detach(); }

private:
    static constexpr std::uint64_t kAccuracy = 1; // microsecond; 0 means 250 ms (H14)

    struct Unref {
        void operator()(sd_event* event) const noexcept { sd_event_unref(event); }
        void operator()(sd_event_source* source) const noexcept { sd_event_source_unref(source); }
    };
    using Source = std::unique_ptr<sd_event_source, Unref>;

    static void check(int result, const char* call) {
        if (result < 0)
            throw std::system_error(-result, std::generic_category(), call);
    }

    void watch(int descriptor) override {
        sd_event_source* added = nullptr;
        check(sd_event_add_io(event_.get(), &added, descriptor, EPOLLIN, &onInput, this), "sd_event_add_io");
        Source input(added);
        rank(false);
        check(sd_event_source_set_priority(added, priority_), "sd_event_source_set_priority");
        check(sd_event_source_set_prepare(added, &onPrepare), "sd_event_source_set_prepare");
        input_ = std::move(input);
    }

    void unwatch() noexcept override { input_.reset(); }

    void wake(Wait wait) noexcept override {
        using std::chrono::microseconds;
        if (!deadline_.change(wait))
            return;
        int result = 0;
        if (const auto time = deadline_.time()) { // of CLOCK_MONOTONIC
            const auto since = std::chrono::ceil<microseconds>(time->time_since_epoch());
            result = sd_event_source_set_time(time_.get(), static_cast<std::uint64_t>(since.count()));
        }
        if (result >= 0)
            result = sd_event_source_set_enabled(time_.get(), deadline_.time() ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
        if (result >= 0)
            return;
        deadline_.fired(); // the next one that is asked for is new
        // A loop that has ended, and one that has been left behind by a fork, call nobody any more.
        if (result != -ESTALE && result != -ECHILD)
            log::error("embedding: sd-event sets no timer, and timed calls are late: {}",
                       std::generic_category().message(-result));
    }

    static detail::Turns::Time now() noexcept {
        return std::chrono::duration_cast<detail::Turns::Time>(detail::Deadline::Clock::now().time_since_epoch());
    }

    /// Costs no system call, and nobody is kept waiting when there is nobody else.
    void rank(bool last) noexcept {
        if (std::exchange(last_, last) == last)
            return;
        for (sd_event_source* source : {input_.get(), time_.get()}) {
            if (source)
                sd_event_source_set_priority(source, last ? std::numeric_limits<std::int64_t>::max() : priority_);
        }
    }

    void dispatchInTurn() noexcept {
        const auto at = now();
        turns_.waited(at);
        turns_.begin(at);
        dispatch();
    }

    static int onInput(sd_event_source*, int, std::uint32_t, void* self) noexcept {
        static_cast<SdEventAdapter*>(self)->dispatchInTurn();
        return 0;
    }

    static int onTime(sd_event_source*, std::uint64_t, void* self) noexcept {
        auto* adapter = static_cast<SdEventAdapter*>(self);
        adapter->deadline_.fired();
        adapter->dispatchInTurn();
        return 0;
    }

    static int onPrepare(sd_event_source*, void* self) noexcept {
        auto* adapter = static_cast<SdEventAdapter*>(self);
        adapter->rank(adapter->turns_.prepare(now()));
        adapter->refresh();
        return 0;
    }

    std::unique_ptr<sd_event, Unref> event_;
    std::int64_t priority_;
    Source time_;
    Source input_;
    detail::Deadline deadline_;
    detail::Turns turns_;
    bool last_ = false; // both have the lowest priority
};

} // namespace torsion
