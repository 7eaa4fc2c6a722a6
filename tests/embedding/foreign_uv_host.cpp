#include "embedding/host.hpp"

#include <uv.h>

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <utility>

namespace torsion::test {

namespace {

/// A program on a libuv loop of its own, on which the reactor lives: there is no adapter.
class ForeignUvHost final : public Host {
public:
    ForeignUvHost() {
        uv_loop_init(&loop_);
        uv_async_init(&loop_, &alive_, nullptr);
    }
    ~ForeignUvHost() override {
        uv_close(reinterpret_cast<uv_handle_t*>(&alive_), nullptr);
        for (const auto& timer : timers_)
            uv_close(reinterpret_cast<uv_handle_t*>(&timer->handle), nullptr);
        for (const auto& [descriptor, watch] : watches_)
            uv_close(reinterpret_cast<uv_handle_t*>(&watch->handle), nullptr);
        uv_run(&loop_, UV_RUN_DEFAULT);
        uv_loop_close(&loop_);
    }

    std::unique_ptr<UvReactor> makeReactor() override {
        return std::make_unique<UvReactor>(&loop_, ReactorOptions{.runForeignLoop = true});
    }
    bool embeds() const noexcept override { return false; }
    bool nests() const noexcept override { return false; }
    void attach(Embedding) override {}
    void detach() override {}
    Dispatched dispatch() override {
        uv_run(&loop_, UV_RUN_NOWAIT);
        return Dispatched::Idle;
    }

    bool runUntil(CallableRef<bool()> condition, Milliseconds limit) override {
        const auto passed = std::make_shared<bool>(false);
        after(limit, [passed] { *passed = true; }); // and so the loop never ends
        while (!condition()) {
            if (*passed)
                return false;
            uv_run(&loop_, UV_RUN_ONCE);
        }
        return true;
    }

    void after(Milliseconds delay, std::function<void()> f) override {
        timers_.push_back(std::make_unique<Timer>(std::move(f)));
        uv_timer_t& timer = timers_.back()->handle;
        timer.data = timers_.back().get();
        uv_timer_init(&loop_, &timer);
        uv_update_time(&loop_);
        uv_timer_start(
            &timer, [](uv_timer_t* handle) { static_cast<Timer*>(handle->data)->f(); },
            static_cast<std::uint64_t>(delay.count()), 0);
    }

    void watch(int descriptor, std::function<void()> f) override {
        auto& watch = watches_[descriptor];
        const bool isNew = watch == nullptr;
        if (isNew)
            watch = std::make_unique<Watch>();
        watch->f = std::move(f);
        watch->handle.data = watch.get();
        if (isNew)
            uv_poll_init(&loop_, &watch->handle, descriptor);
        uv_poll_start(&watch->handle, UV_READABLE, [](uv_poll_t* handle, int, int) {
            const auto copy = static_cast<Watch*>(handle->data)->f;
            copy();
        });
    }

private:
    struct Timer {
        explicit Timer(std::function<void()> itsF) : f(std::move(itsF)) {}
        uv_timer_t handle{};
        std::function<void()> f;
    };
    struct Watch {
        uv_poll_t handle{};
        std::function<void()> f;
    };

    uv_loop_t loop_{};
    uv_async_t alive_{};                       // a program has something of its own, or its loop ends
    std::list<std::unique_ptr<Timer>> timers_; // until the end
    std::map<int, std::unique_ptr<Watch>> watches_;
};

const RegisterHost registered{{"foreign uv_loop_t", &makeHost<ForeignUvHost>, {}}};

} // namespace

} // namespace torsion::test
