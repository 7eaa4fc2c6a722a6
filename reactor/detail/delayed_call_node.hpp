#pragma once

#include <reactor/function.hpp>
#include <reactor/time_point.hpp>

#include <cstdint>
#include <utility>

namespace torsion::detail {

struct DelayedCallNode;

/// The queue behind DelayedCall handles. It lives until the last of its nodes is released, whatever becomes of the
/// clock.
class DelayedCallOwner {
public:
    /// The node, which is pending, becomes cancelled; its callable is destroyed before this returns.
    virtual void cancel(DelayedCallNode& node) noexcept = 0;

    /// The node, which is pending, becomes due `fromNow` after the time it is now.
    virtual void resetFromNow(DelayedCallNode& node, Duration fromNow) = 0;

    /// The node, which is pending, becomes due at `due`.
    virtual void resetTo(DelayedCallNode& node, TimePoint due) = 0;

    /// The last reference to the node is gone.
    virtual void release(DelayedCallNode& node) noexcept = 0;

protected:
    ~DelayedCallOwner() = default;
};

enum class DelayedCallState : std::uint8_t { Pending, Called, Cancelled };

/// One scheduled call, shared by its queue (while it is pending) and its handles. Reference counts are not atomic: all
/// belongs to the clock's thread. Aligned so that all but the callable, half of a cache line, lies in one: with many
/// nodes outstanding every line is fetched from memory.
struct alignas(32) DelayedCallNode {
    DelayedCallOwner* owner;
    TimePoint due;
    std::uint32_t references;
    std::uint32_t slot; ///< The node's number in its queue's pool.
    DelayedCallState state;
    bool internal; ///< One of the library's own: neither listed nor counted.
    bool held;     ///< Sorted later than it is due, because it was scheduled inside a turn.
    std::uint32_t sequence;
    Function<void()> call;
};

/// A counted reference to a node, or null.
class DelayedCallRef {
public:
    DelayedCallRef() noexcept = default;
    explicit DelayedCallRef(DelayedCallNode* node) noexcept : node_(node) {
        if (node_ != nullptr)
            ++node_->references;
    }
    DelayedCallRef(const DelayedCallRef& other) noexcept : DelayedCallRef(other.node_) {}
    DelayedCallRef(DelayedCallRef&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
    DelayedCallRef& operator=(DelayedCallRef other) noexcept {
        std::swap(node_, other.node_);
        return *this;
    }
    ~DelayedCallRef() {
        if (node_ != nullptr && --node_->references == 0)
            node_->owner->release(*node_);
    }

    DelayedCallNode* get() const noexcept { return node_; }
    DelayedCallNode* operator->() const noexcept { return node_; }

private:
    DelayedCallNode* node_ = nullptr;
};

} // namespace torsion::detail
