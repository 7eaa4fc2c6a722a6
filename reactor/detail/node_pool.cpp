#include <reactor/detail/node_pool.hpp>

#include <reactor/detail/sanitizer.hpp>

#include <new>

namespace torsion::detail {

namespace {

constexpr std::size_t kGranularity = 64;
constexpr std::size_t kClasses = 16; // up to 1 KiB, for coroutines; what is larger is not pooled

/// Large blocks are fewer.
constexpr std::size_t maxKept(std::size_t index) {
    return index < 4 ? kPooledNodesPerClass : kPooledNodesPerClass / 8;
}

struct FreeBlock {
    FreeBlock* next;
};

struct FreeList {
    FreeBlock* first;
    std::size_t count;
};

/// Trivially destructible, so that it may be used while other thread-local objects are destroyed.
struct Pool {
    FreeList lists[kClasses];
    bool closed;
};

constinit thread_local Pool threadPool{};

/// Empties the pool at the end of its thread; blocks freed after that go back at once.
struct PoolCloser {
    // The first block freed on a thread makes the closer; a destructor alone would never run.
    void arm() const noexcept {}
    ~PoolCloser() {
        threadPool.closed = true;
        for (FreeList& list : threadPool.lists) {
            while (FreeBlock* block = list.first) {
                list.first = block->next;
                ::operator delete(block);
            }
            list.count = 0;
        }
    }
};

thread_local PoolCloser threadPoolCloser;

std::size_t classOf(std::size_t size) {
    return (size - 1) / kGranularity;
}

} // namespace

bool nodesArePooled() noexcept {
    return !kAddressSanitizer;
}

void* allocateNode(std::size_t size) {
    const std::size_t index = classOf(size);
    if (!nodesArePooled() || index >= kClasses)
        return ::operator new(size);
    FreeList& list = threadPool.lists[index];
    FreeBlock* block = list.first;
    if (block == nullptr)
        return ::operator new((index + 1) * kGranularity);
    list.first = block->next;
    --list.count;
    return block;
}

void freeNode(void* block, std::size_t size) noexcept {
    const std::size_t index = classOf(size);
    if (!nodesArePooled() || index >= kClasses || threadPool.closed ||
        threadPool.lists[index].count >= maxKept(index)) {
        ::operator delete(block);
        return;
    }
    threadPoolCloser.arm();
    FreeList& list = threadPool.lists[index];
    list.first = ::new (block) FreeBlock{list.first};
    ++list.count;
}

} // namespace torsion::detail
