#pragma once

#include <reactor/function.hpp>
#include <reactor/libuv/descriptor.hpp>

#include <uv.h>

#include <cstdint>

namespace torsion::uv {

/// Called by LoopHooks in every iteration of the loop.
class LoopListener {
public:
    virtual void onPrepare() = 0; ///< before the poll, on a foreign loop
    virtual void onCheck() = 0;   ///< after the poll

protected:
    ~LoopListener() = default;
};

/// The reactor's own handles on a loop: a check after each poll, an idle handle that keeps the poll from waiting, a
/// timer that bounds it, and a wake-up for other threads (an eventfd: libuv's uv_async_t makes the loop spin until the
/// thread that woke it has had its processor back). A foreign loop's owner has callbacks of its own between two
/// polls, so there a prepare comes before each; on an owned loop what is to be done before a poll is done after the one
/// before, which saves libuv the walk. They live in a block that outlives the reactor until the loop has closed them,
/// so that an owner of a foreign loop needs to do nothing but go on running it.
class LoopHooks {
public:
    /// @param owned the loop is the reactor's: it must not end for want of other handles (on a foreign loop ours do not
    ///     count), and has no prepare.
    /// @throws std::system_error
    LoopHooks(uv_loop_t* loop, LoopListener& listener, bool owned);
    LoopHooks(const LoopHooks&) = delete;
    LoopHooks& operator=(const LoopHooks&) = delete;
    ~LoopHooks();

    /// One more, or one less, reason why the loop must not end for want of handles.
    void keepAlive(bool more) noexcept;

    /// Such a reason, while it lives.
    class KeepAlive {
    public:
        explicit KeepAlive(LoopHooks& hooks) noexcept : hooks_(hooks) { hooks_.keepAlive(true); }
        KeepAlive(const KeepAlive&) = delete;
        KeepAlive& operator=(const KeepAlive&) = delete;
        ~KeepAlive() { hooks_.keepAlive(false); }

    private:
        LoopHooks& hooks_;
    };

    /// The next poll does not wait / waits again.
    void setBusy(bool busy) noexcept { setBusy(*block_, busy); }

    /// A host drives the loop, and what comes after a poll is done outside of it: no check any more.
    void leaveTurns() noexcept {
        uv_check_stop(&block_->check);
        setBusy(false);
        clearAlarm();
    }

    /// Ends the wait `milliseconds` from now at the latest.
    void setAlarm(std::uint64_t milliseconds) noexcept;
    void clearAlarm() noexcept;
    bool alarmSet() const noexcept { return block_->alarmSet; }

    /// Ends a wait. Any thread, until the destructor begins.
    void wake() noexcept;

    /// In a child process, before uv_loop_fork(): what wakes one of the two does not wake the other any more.
    /// @throws std::system_error
    void afterFork();

private:
    struct Block {
        uv_prepare_t prepare;
        uv_check_t check;
        uv_idle_t idle;
        uv_timer_t alarm;
        uv_poll_t wakeUp;
        Descriptor woken;       // an eventfd, which wakeUp watches
        LoopListener* listener; // null once closing
        int open;               // handles not closed yet
        int reasons;            // to keep the loop alive
        bool alarmSet;
        bool busy;
    };
    template <class Handle>
    static Block& blockOf(Handle* handle) {
        return *static_cast<Block*>(handle->data);
    }
    static void close(Block& block) noexcept;
    static void setBusy(Block& block, bool busy) noexcept;

    Block* block_;
};

} // namespace torsion::uv
