#include "support/alloc_count.hpp"

#include <cstdlib>
#include <new>

namespace {

constinit thread_local std::uint64_t allocations = 0;

} // namespace

std::uint64_t torsion::test::AllocationCount::total() noexcept {
    return allocations;
}

// The array and nothrow forms of the standard library call these; the aligned ones stay as they are.

void* operator new(std::size_t size) {
    ++allocations;
    if (void* block = std::malloc(size != 0 ? size : 1))
        return block;
    throw std::bad_alloc();
}

void operator delete(void* block) noexcept {
    std::free(block);
}

void operator delete(void* block, std::size_t) noexcept {
    std::free(block);
}
