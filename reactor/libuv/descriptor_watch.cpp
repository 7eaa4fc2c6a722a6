#include <reactor/libuv/descriptor_watch.hpp>

#include <reactor/errors.hpp>
#include <reactor/libuv/embedded_loop.hpp>

#include <memory>
#include <system_error>

namespace torsion::uv {

DescriptorWatch::DescriptorWatch(LoopContext& context, int fd, Ready& owner) {
    auto block = std::make_unique<Block>(context, owner);
    if (const int error = uv_poll_init(context.loop, &block->handle, fd); error != 0) {
        throw std::system_error(-error, std::generic_category(), "cannot watch a descriptor");
    }
    block_ = block.release();
    block_->handle.data = block_;
}

void DescriptorWatch::close() noexcept {
    if (!block_)
        return;
    block_->owner->unlink();
    block_->owner = nullptr;
    uv_close(reinterpret_cast<uv_handle_t*>(&block_->handle),
             [](uv_handle_t* handle) { delete static_cast<Block*>(handle->data); });
    block_ = nullptr;
}

void DescriptorWatch::watch(int events) {
    if (events == events_)
        return;
    events_ = events;
    if (events == 0) {
        uv_poll_stop(&block_->handle);
    } else {
        uv_poll_start(&block_->handle, events, &onPoll);
    }
    if (block_->context->embedded) // libuv tells the kernel as it begins to poll
        block_->context->embedded->touched();
}

void DescriptorWatch::onPoll(uv_poll_t* handle, int status, int events) {
    Block& block = *static_cast<Block*>(handle->data);
    block.context->report(*block.owner, status, events);
}

} // namespace torsion::uv
