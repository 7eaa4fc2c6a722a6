#pragma once

#include <reactor/detail/delayed_call_node.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace torsion::detail {

/// Memory for the nodes of one TimerQueue: blocks that are kept until the pool is destroyed, so that scheduling a call
/// allocates nothing once as many calls have been outstanding before. Every node has a slot, a small number that stays
/// the same for its memory. Under AddressSanitizer free nodes are poisoned.
class TimerPool {
public:
    TimerPool() = default;
    TimerPool(const TimerPool&) = delete;
    TimerPool& operator=(const TimerPool&) = delete;
    ~TimerPool();

    /// A node with its slot set, everything else default. May throw std::bad_alloc.
    DelayedCallNode& take();

    /// Takes back a node of this pool. Its callable is empty.
    void put(DelayedCallNode& node) noexcept;

    /// The node that was taken with the slot.
    DelayedCallNode& at(std::uint32_t slot) const noexcept {
        return *reinterpret_cast<DelayedCallNode*>(blocks_[slot / kBlockNodes]->memory +
                                                   (slot % kBlockNodes) * sizeof(DelayedCallNode));
    }

    /// Slots are below this.
    std::size_t capacity() const noexcept { return blocks_.size() * kBlockNodes; }

    /// Nodes taken and not put back.
    std::size_t taken() const noexcept { return taken_; }

private:
    /// What lies in a free node's memory.
    struct FreeNode {
        FreeNode* next;
        std::uint32_t slot;
    };

    static constexpr std::size_t kBlockNodes = 64;

    struct Block {
        alignas(DelayedCallNode) std::byte memory[kBlockNodes * sizeof(DelayedCallNode)];
    };

    void addBlock();

    std::vector<std::unique_ptr<Block>> blocks_;
    FreeNode* free_ = nullptr;
    std::size_t taken_ = 0;
};

} // namespace torsion::detail
