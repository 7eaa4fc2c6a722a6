#include <reactor/core/detail/timer_pool.hpp>
#include <reactor/detail/sanitizer.hpp>

#include <new>

namespace torsion::detail {

static_assert(offsetof(DelayedCallNode, call) == 32);

TimerPool::~TimerPool() {
    // What hands out the memory next does not expect poison in it.
    for (const std::unique_ptr<Block>& block : blocks_)
        unpoison(block.get(), sizeof(Block));
}

DelayedCallNode& TimerPool::take() {
    if (free_ == nullptr) [[unlikely]]
        addBlock();
    FreeNode* memory = free_;
    unpoison(memory, sizeof(DelayedCallNode));
    free_ = memory->next;
    const std::uint32_t slot = memory->slot;
    ++taken_;
    return *::new (memory) DelayedCallNode{.owner = nullptr,
                                           .due = {},
                                           .references = 0,
                                           .slot = slot,
                                           .state = DelayedCallState::Pending,
                                           .internal = false,
                                           .held = false,
                                           .sequence = 0,
                                           .call = {}};
}

void TimerPool::put(DelayedCallNode& node) noexcept {
    const std::uint32_t slot = node.slot;
    node.~DelayedCallNode();
    free_ = ::new (&node) FreeNode{free_, slot};
    --taken_;
    poison(&node, sizeof(DelayedCallNode));
}

void TimerPool::addBlock() {
    const std::size_t firstSlot = capacity();
    // Not value-initialised: the first take() of each node writes it.
    Block& block = *blocks_.emplace_back(std::make_unique_for_overwrite<Block>());
    for (std::size_t i = kBlockNodes; i-- > 0;) {
        std::byte* memory = block.memory + i * sizeof(DelayedCallNode);
        free_ = ::new (memory) FreeNode{free_, static_cast<std::uint32_t>(firstSlot + i)};
        poison(memory, sizeof(DelayedCallNode));
    }
}

} // namespace torsion::detail
