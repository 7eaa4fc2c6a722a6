#pragma once

#include <cstdint>

namespace torsion::test {

/// How often this thread has called operator new since the object was made. (The test program replaces it.)
class AllocationCount {
public:
    AllocationCount() noexcept : start_(total()) {}

    std::uint64_t get() const noexcept { return total() - start_; }

private:
    static std::uint64_t total() noexcept;

    std::uint64_t start_;
};

} // namespace torsion::test
