#include <reactor/libuv/loop_hooks.hpp>

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <memory>
#include <system_error>

namespace torsion::uv {

namespace {

Descriptor openEvent() {
    Descriptor event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!event)
        throw std::system_error(errno, std::generic_category(), "cannot make a wake-up for the loop");
    return event;
}

} // namespace

LoopHooks::LoopHooks(uv_loop_t* loop, LoopListener& listener, bool owned) {
    auto block = std::make_unique<Block>();
    block->listener = &listener;
    // The only initialisations that can fail come first.
    block->woken = openEvent();
    if (const int error = uv_poll_init(loop, &block->wakeUp, block->woken.get()); error != 0) {
        throw std::system_error(-error, std::generic_category(), "cannot watch a wake-up for the loop");
    }
    block_ = block.release();
    Block& b = *block_;
    uv_prepare_init(loop, &b.prepare);
    uv_check_init(loop, &b.check);
    uv_idle_init(loop, &b.idle);
    uv_timer_init(loop, &b.alarm);
    b.prepare.data = b.check.data = b.idle.data = b.alarm.data = b.wakeUp.data = block_;
    if (!owned)
        uv_prepare_start(&b.prepare, [](uv_prepare_t* handle) { blockOf(handle).listener->onPrepare(); });
    uv_poll_start(&b.wakeUp, UV_READABLE, [](uv_poll_t* handle, int, int) {
        std::uint64_t count = 0;
        static_cast<void>(::read(blockOf(handle).woken.get(), &count, sizeof count) == sizeof count);
    });
    uv_check_start(&b.check, [](uv_check_t* handle) { blockOf(handle).listener->onCheck(); });
    uv_unref(reinterpret_cast<uv_handle_t*>(&b.prepare));
    uv_unref(reinterpret_cast<uv_handle_t*>(&b.check));
    uv_unref(reinterpret_cast<uv_handle_t*>(&b.wakeUp));
    if (owned)
        keepAlive(true);
}

LoopHooks::~LoopHooks() {
    close(*block_);
}

void LoopHooks::close(Block& b) noexcept {
    b.listener = nullptr;
    uv_prepare_stop(&b.prepare);
    uv_check_stop(&b.check);
    const auto closed = [](uv_handle_t* handle) {
        Block& block = blockOf(handle);
        if (--block.open == 0)
            delete &block;
    };
    b.open = 5;
    uv_close(reinterpret_cast<uv_handle_t*>(&b.prepare), closed);
    uv_close(reinterpret_cast<uv_handle_t*>(&b.check), closed);
    uv_close(reinterpret_cast<uv_handle_t*>(&b.idle), closed);
    uv_close(reinterpret_cast<uv_handle_t*>(&b.alarm), closed);
    uv_close(reinterpret_cast<uv_handle_t*>(&b.wakeUp), closed);
}

void LoopHooks::wake() noexcept {
    const std::uint64_t one = 1;
    while (::write(block_->woken.get(), &one, sizeof one) < 0 && errno == EINTR) {
    }
}

// The same number, so that libuv need not know.
void LoopHooks::afterFork() {
    const Descriptor fresh = openEvent();
    if (::dup3(fresh.get(), block_->woken.get(), O_CLOEXEC) < 0)
        throw std::system_error(errno, std::generic_category(), "cannot make a wake-up for the loop");
}

void LoopHooks::keepAlive(bool more) noexcept {
    block_->reasons += more ? 1 : -1;
    auto* handle = reinterpret_cast<uv_handle_t*>(&block_->wakeUp);
    if (block_->reasons != 0) {
        uv_ref(handle);
    } else {
        uv_unref(handle);
    }
}

void LoopHooks::setBusy(Block& block, bool busy) noexcept {
    if (busy == block.busy)
        return;
    block.busy = busy;
    if (busy) {
        uv_idle_start(&block.idle, [](uv_idle_t*) {});
    } else {
        uv_idle_stop(&block.idle);
    }
}

void LoopHooks::setAlarm(std::uint64_t milliseconds) noexcept {
    uv_update_time(block_->alarm.loop); // the alarm counts from the loop's time, which may be old
    block_->alarmSet = true;
    // It can fire up to a millisecond early, on the loop's rounded clock, when nothing is due yet and a poll is next:
    // that one must not wait, for what comes after it sets the alarm anew.
    const auto fired = [](uv_timer_t* handle) {
        Block& block = blockOf(handle);
        block.alarmSet = false;
        setBusy(block, true);
    };
    uv_timer_start(&block_->alarm, fired, milliseconds, 0);
}

void LoopHooks::clearAlarm() noexcept {
    if (!block_->alarmSet)
        return;
    block_->alarmSet = false;
    uv_timer_stop(&block_->alarm);
}

} // namespace torsion::uv
