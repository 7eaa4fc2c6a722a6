#include <reactor/embedding/sd_event.hpp>

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

/// A program around the thread's sd_event.
class SdEventHost final : public Host {
public:
    SdEventHost() { sd_event_default(&event_); }

    ~SdEventHost() override {
        inside_.reset();
        timers_.clear();
        watches_.clear();
        sd_event_unref(event_);
    }

    void attach(Embedding embedding) override { inside_.emplace(std::move(embedding), event_); }
    void detach() override { inside_.reset(); }
    Dispatched dispatch() override { return inside_->dispatch(); }
    bool nests() const noexcept override { return false; }

    bool runUntil(CallableRef<bool()> condition, Milliseconds limit) override {
        using std::chrono::microseconds;
        using Clock = std::chrono::steady_clock;
        const auto end = Clock::now() + limit;
        while (!condition()) {
            const microseconds left = std::chrono::ceil<microseconds>(end - Clock::now());
            if (left.count() < 0)
                return false;
            sd_event_run(event_, static_cast<std::uint64_t>(left.count()));
        }
        return true;
    }

    void after(Milliseconds delay, std::function<void()> f) override {
        auto& timer = timers_.emplace_back(std::make_unique<Source>(std::move(f)));
        const auto microseconds = static_cast<std::uint64_t>(delay.count()) * 1000;
        sd_event_add_time_relative(event_, &timer->source, CLOCK_MONOTONIC, microseconds, 1, &onTime, timer.get());
    }

    void watch(int descriptor, std::function<void()> f) override {
        auto& watch = watches_[descriptor];
        watch.reset(); // before another that has the same descriptor
        watch = std::make_unique<Source>(std::move(f));
        sd_event_add_io(event_, &watch->source, descriptor, EPOLLIN, &onInput, watch.get());
    }

private:
    struct Source {
        explicit Source(std::function<void()> function) : f(std::move(function)) {}
        Source(const Source&) = delete;
        Source& operator=(const Source&) = delete;
        ~Source() { sd_event_source_unref(source); }

        // May be destroyed by it.
        static int call(void* source) {
            const std::function<void()> f = static_cast<Source*>(source)->f;
            f();
            return 0;
        }

        sd_event_source* source = nullptr;
        std::function<void()> f;
    };

    static int onTime(sd_event_source*, std::uint64_t, void* source) { return Source::call(source); }
    static int onInput(sd_event_source*, int, std::uint32_t, void* source) { return Source::call(source); }

    sd_event* event_ = nullptr;
    std::vector<std::unique_ptr<Source>> timers_;
    std::map<int, std::unique_ptr<Source>> watches_;
    std::optional<SdEventAdapter> inside_;
};

const RegisterHost registered{{"sd-event", &makeHost<SdEventHost>, {}}};

} // namespace

} // namespace torsion::test
