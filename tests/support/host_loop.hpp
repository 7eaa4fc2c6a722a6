#pragma once

#include <doctest/doctest.h>

#include <uv.h>

#include <cstdint>
#include <functional>
#include <utility>

namespace torsion::test {

/// Somebody's loop. It runs until nothing keeps it alive; after 10 s it is stopped, and the case fails.
class HostLoop {
public:
    HostLoop() {
        REQUIRE(uv_loop_init(&loop_) == 0);
        uv_timer_init(&loop_, &limit_);
    }
    HostLoop(const HostLoop&) = delete;
    HostLoop& operator=(const HostLoop&) = delete;
    ~HostLoop() {
        if (!closed_)
            CHECK(close() == 0);
    }

    uv_loop_t* get() noexcept { return &loop_; }

    void run() {
        late_ = false;
        limit_.data = this;
        uv_timer_start(&limit_, &HostLoop::tooLate, 10'000, 0);
        uv_unref(reinterpret_cast<uv_handle_t*>(&limit_));
        uv_run(&loop_, UV_RUN_DEFAULT);
        uv_timer_stop(&limit_);
        REQUIRE_MESSAGE(!late_, "something keeps the loop alive");
    }

    /// Closes the host's own handles, runs what is left to close, and closes the loop.
    /// @returns what uv_loop_close said.
    int close() {
        closed_ = true;
        uv_close(reinterpret_cast<uv_handle_t*>(&limit_), nullptr);
        for (int i = 0; i < 10; ++i)
            uv_run(&loop_, UV_RUN_NOWAIT);
        return uv_loop_close(&loop_);
    }

private:
    static void tooLate(uv_timer_t* handle) {
        static_cast<HostLoop*>(handle->data)->late_ = true;
        uv_stop(handle->loop);
    }

    uv_loop_t loop_{};
    uv_timer_t limit_{};
    bool late_ = false;
    bool closed_ = false;
};

/// A handle of the host's: calls `f` once, in a callback of its own.
class HostTimer {
public:
    HostTimer(HostLoop& loop, std::uint64_t milliseconds, std::function<void()> f) : f_(std::move(f)) {
        uv_timer_init(loop.get(), &timer_);
        timer_.data = this;
        uv_timer_start(
            &timer_, [](uv_timer_t* handle) { static_cast<HostTimer*>(handle->data)->f_(); }, milliseconds, 0);
    }
    HostTimer(const HostTimer&) = delete;
    HostTimer& operator=(const HostTimer&) = delete;
    ~HostTimer() {
        CHECK_FALSE(uv_is_closing(reinterpret_cast<uv_handle_t*>(&timer_)));
        uv_close(reinterpret_cast<uv_handle_t*>(&timer_), nullptr);
        uv_run(timer_.loop, UV_RUN_NOWAIT);
    }

    bool isPending() const { return uv_is_active(reinterpret_cast<const uv_handle_t*>(&timer_)) != 0; }

private:
    uv_timer_t timer_{};
    std::function<void()> f_;
};

} // namespace torsion::test
