#pragma once

#include <reactor/core/intrusive_list.hpp>
#include <reactor/core/turn_core.hpp>

#include <uv.h>

#include <cstddef>
#include <memory>

namespace torsion::uv {

struct ReadyTag;
class EmbeddedLoop;

/// Something that libuv reported an event for.
class Ready : public core::ListHook<ReadyTag> {
public:
    /// @param status libuv's: negative when the descriptor is in error
    /// @param events UV_READABLE | UV_WRITABLE | UV_PRIORITIZED
    virtual void onReady(int status, int events) = 0;

    /// The same while a host's loop runs inside a callback: maybe one of this object's.
    virtual void onReadyNested(int status, int events) { onReady(status, events); }

    int readyStatus = 0; ///< kept while waiting for its turn
    int readyEvents = 0;

protected:
    ~Ready() = default;
};

/// What the objects on one loop share. Owned by the UvReactor; outlives every Ready of it but not their handle blocks.
struct LoopContext {
    static constexpr std::size_t kReadSize = 64 * 1024;

    uv_loop_t* loop;
    core::TurnCore& turn;
    bool direct; ///< events are delivered from inside the poll
    std::unique_ptr<char[]> readBuffer = std::make_unique_for_overwrite<char[]>(kReadSize);
    core::IntrusiveList<Ready, ReadyTag> ready{};
    core::IntrusiveList<Ready, ReadyTag> delivering{}; ///< what the second phase has not come to
    EmbeddedLoop* embedded = nullptr;                  ///< a host's loop drives this one
    int inside = 0;                                    ///< callbacks of ours on the stack

    /// Every libuv callback for a descriptor ends here.
    void report(Ready& object, int status, int events) {
        if (direct) [[likely]] {
            ++inside;
            object.onReady(status, events);
            --inside;
            return;
        }
        object.readyStatus = status;
        object.readyEvents = events;
        if (!object.linked())
            ready.pushBack(object);
    }

    /// The second phase: delivers what was reported.
    void deliverReady() {
        if (ready.empty())
            return;
        delivering.takeAll(ready);
        while (!delivering.empty()) {
            Ready& object = delivering.popFront();
            object.onReady(object.readyStatus, object.readyEvents);
        }
    }
};

} // namespace torsion::uv
