#include <reactor/embedding/libevent.hpp>

#include "embedding/host.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace torsion::test {

namespace {

struct FreeConfig {
    void operator()(event_config* config) const { event_config_free(config); }
};

/// A program around an event_base.
class LibeventHost final : public Host {
public:
    ~LibeventHost() override {
        inside_.reset();
        timers_.clear();
        watches_.clear();
        event_base_free(base_);
    }

    void attach(Embedding embedding) override { inside_.emplace(std::move(embedding), base_); }
    void detach() override { inside_.reset(); }
    Dispatched dispatch() override { return inside_->dispatch(); }
    bool nests() const noexcept override { return false; }
    bool forks() const noexcept override { return true; }
    void beginInChild(Embedding&) override {
        event_reinit(base_);
        inside_->afterFork();
    }

    bool runUntil(CallableRef<bool()> condition, Milliseconds limit) override {
        bool late = false;
        const auto end = makeTimer(limit, [&late] { late = true; });
        while (!late && !condition())
            event_base_loop(base_, EVLOOP_ONCE);
        return !late;
    }

    void after(Milliseconds delay, std::function<void()> f) override {
        timers_.push_back(makeTimer(delay, std::move(f)));
    }

    void watch(int descriptor, std::function<void()> f) override {
        watches_[descriptor] = std::make_unique<Event>(base_, descriptor, EV_READ | EV_PERSIST, std::move(f));
        event_add(watches_[descriptor]->event, nullptr);
    }

private:
    struct Event {
        Event(event_base* base, int descriptor, short what, std::function<void()> function)
            : event(event_new(base, descriptor, what, &call, this)), f(std::move(function)) {}
        Event(const Event&) = delete;
        Event& operator=(const Event&) = delete;
        ~Event() { event_free(event); }

        // May be destroyed by it.
        static void call(evutil_socket_t, short, void* event) {
            const std::function<void()> f = static_cast<Event*>(event)->f;
            f();
        }

        ::event* event;
        std::function<void()> f;
    };

    static event_base* makeBase() {
        const std::unique_ptr<event_config, FreeConfig> config(event_config_new());
        event_config_set_flag(config.get(), EVENT_BASE_FLAG_PRECISE_TIMER);
        return event_base_new_with_config(config.get());
    }

    std::unique_ptr<Event> makeTimer(Milliseconds delay, std::function<void()> f) {
        auto timer = std::make_unique<Event>(base_, -1, EV_TIMEOUT, std::move(f));
        const timeval interval{delay.count() / 1000, delay.count() % 1000 * 1000};
        event_add(timer->event, &interval);
        return timer;
    }

    event_base* base_ = makeBase();
    std::vector<std::unique_ptr<Event>> timers_;
    std::map<int, std::unique_ptr<Event>> watches_;
    std::optional<LibeventAdapter> inside_;
};

const RegisterHost registered{{"libevent", &makeHost<LibeventHost>, {}}};
const RegisterHost single{{"libevent, single descriptor", &makeHost<LibeventHost>, {.singleDescriptor = true}}};

} // namespace

} // namespace torsion::test
