#include "support/alloc_count.hpp"
#include "support/alloc_failure.hpp"

#include <cstdlib>
#include <new>

namespace {

constinit thread_local std::uint64_t allocations = 0;
constinit thread_local std::uint64_t failing = 0; // as `allocations` counts; 0: none

} // namespace

std::uint64_t torsion::test::AllocationCount::total() noexcept {
    return allocations;
}

torsion::test::AllocationFailure::AllocationFailure(std::uint64_t number) noexcept {
    failing = allocations + number;
}

torsion::test::AllocationFailure::~AllocationFailure() {
    failing = 0;
}

bool torsion::test::AllocationFailure::hasCome() noexcept {
    return allocations >= failing;
}

// The array and nothrow forms of the standard library call these; the aligned ones stay as they are.

void* operator new(std::size_t size) {
    if (++allocations == failing)
        throw std::bad_alloc();
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
