#include <reactor/libuv/loop_hooks.hpp>

#include <memory>
#include <system_error>

namespace torsion::uv {

LoopHooks::LoopHooks(uv_loop_t* loop, LoopListener& listener, bool owned) {
    auto block = std::make_unique<Block>();
    block->listener = &listener;
    // The only initialisation that can fail comes first (it needs a descriptor).
    if (const int error = uv_async_init(loop, &block->wakeUp, [](uv_async_t*) {}); error != 0) {
        throw std::system_error(-error, std::generic_category(), "cannot make a wake-up for the loop");
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
