#pragma once

#include <reactor/detail/pooled.hpp>
#include <reactor/libuv/loop_context.hpp>

#include <uv.h>

namespace torsion::uv {

/// What a descriptor is watched for, by names of ours.
inline constexpr int kReadable = UV_READABLE;
inline constexpr int kWritable = UV_WRITABLE;

/// A `uv_poll_t` in a block of its own, which outlives whoever watches until libuv has closed it. Does not own the
/// descriptor: close that after `~DescriptorWatch`, not before.
class DescriptorWatch {
public:
    /// @throws std::system_error when libuv cannot watch `fd`.
    DescriptorWatch(LoopContext& context, int fd, Ready& owner);
    DescriptorWatch(const DescriptorWatch&) = delete;
    DescriptorWatch& operator=(const DescriptorWatch&) = delete;
    ~DescriptorWatch() { close(); }

    /// Ends the watch, for good.
    void close() noexcept;

    /// Asks for `events` (UV_READABLE…), or for none. Changing it costs an `epoll_ctl`.
    void watch(int events);

    /// After an error status: libuv watches nothing any more.
    void stopped() noexcept { events_ = 0; }

    int events() const noexcept { return events_; }

private:
    struct Block : torsion::detail::Pooled<Block> {
        Block(LoopContext& itsContext, Ready& itsOwner) : context(&itsContext), owner(&itsOwner) {}
        uv_poll_t handle;
        LoopContext* context;
        Ready* owner; // null once closing
    };
    static void onPoll(uv_poll_t* handle, int status, int events);

    Block* block_;
    int events_ = 0;
};

} // namespace torsion::uv
