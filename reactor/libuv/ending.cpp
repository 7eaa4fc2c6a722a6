#include <reactor/libuv/ending.hpp>

#include <reactor/failure.hpp>
#include <reactor/libuv/embedded_loop.hpp>
#include <reactor/libuv/loop_context.hpp>
#include <reactor/libuv/uv_reactor.hpp>
#include <reactor/log.hpp>

#include <uv.h>

namespace torsion::uv {

bool isInUse(UvReactor& reactor) noexcept {
    const LoopContext& context = reactor.context();
    if (context.inside != 0 || context.turn.hasOutsideCalls())
        return true;
    return context.embedded && (context.embedded->isInside() || context.embedded->isNested());
}

/// libuv tells of what was closed in one turn in whatever order, so there are two handles: the second is closed when
/// the first is, and told of when the turn in which that was is over.
struct ClosedNotice::Block {
    uv_loop_t* loop;
    void (*f)(void*);
    void* user;
    uv_idle_t first{};
    uv_idle_t second{};

    static void close(uv_idle_t& handle, Block& block, uv_close_cb closed) noexcept {
        uv_idle_init(block.loop, &handle); // cannot fail
        handle.data = &block;
        uv_close(reinterpret_cast<uv_handle_t*>(&handle), closed);
    }
    static void firstClosed(uv_handle_t* handle) {
        Block& block = *static_cast<Block*>(handle->data);
        close(block.second, block, &Block::allClosed);
    }
    static void allClosed(uv_handle_t* handle) {
        const std::unique_ptr<Block> block(static_cast<Block*>(handle->data));
        try {
            block->f(block->user);
        } catch (...) { // no exception may cross libuv
            log::error("exception when a loop's handles were closed: {}", Failure::current().toString());
        }
    }
};

ClosedNotice::ClosedNotice(uv_loop_s* loop, void (*f)(void*), void* user)
    : block_(std::make_unique<Block>(Block{loop, f, user})) {}

ClosedNotice::~ClosedNotice() = default;

void ClosedNotice::expect() noexcept {
    Block& block = *block_.release();
    Block::close(block.first, block, &Block::firstClosed);
}

} // namespace torsion::uv
