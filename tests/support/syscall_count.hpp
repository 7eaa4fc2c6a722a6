#pragma once

#include <cstddef>
#include <cstdint>

namespace torsion::test {

/// What costs: the system calls of the byte path, and the heap.
struct Costs {
    std::uint64_t receives = 0;    ///< read, recv
    std::uint64_t sends = 0;       ///< write, writev, send, sendmsg
    std::uint64_t controls = 0;    ///< epoll_ctl
    std::uint64_t allocations = 0; ///< malloc, calloc, realloc, and so operator new
};

/// Counts what this thread calls from its making on, through the functions of the C library, which the test program
/// wraps. Not in builds with a sanitizer, which wraps them itself.
class SyscallCount {
public:
    SyscallCount() noexcept : start_(total()) {}

    Costs get() const noexcept;

    /// Whether this build can count.
    static bool works() noexcept;

    /// Bytes of heap that this thread has taken and not given back, since it began; as the allocator rounds them.
    static std::int64_t heapBytes() noexcept;

private:
    static Costs total() noexcept;

    Costs start_;
};

} // namespace torsion::test
