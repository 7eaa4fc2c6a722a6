#pragma once

#include <cstdint>

namespace torsion::test {

/// While it lives, one call of operator new on this thread throws std::bad_alloc: the `number`th, from 1.
class AllocationFailure {
public:
    explicit AllocationFailure(std::uint64_t number) noexcept;
    AllocationFailure(const AllocationFailure&) = delete;
    AllocationFailure& operator=(const AllocationFailure&) = delete;
    ~AllocationFailure();

    /// Whether that call has come.
    static bool hasCome() noexcept;
};

} // namespace torsion::test
