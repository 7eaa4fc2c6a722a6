#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace torsion::testing {

/// What can be made to fail: what would be a system call on a real reactor.
enum class Operation {
    Listen, ///< binding and listening: CannotListenError
    Accept, ///< taking one connection. EMFILE, ENFILE: it is turned away; EAGAIN, ENOBUFS, ENOMEM: later; else: dropped
    Connect, ///< one attempt to connect
    Send, ///< EAGAIN: nothing is taken until it is writable; ENOBUFS, ENOMEM: nothing, for a while; else: writing ends
    Receive, ///< EAGAIN: nothing is there yet; else: the connection breaks
    Any,     ///< every one of them
};

/// Makes chosen operations of one reactor fail, and counts all of them. For tests that run a scenario again and again
/// with the first, the second, … operation failing, until it gets through.
///
/// Owned by its MemoryReactor; used on its thread, inside callbacks too.
class FaultInjector {
public:
    /// The n-th operation of the kind from now on fails, once. One fault of each kind can be waiting; a further call
    /// replaces it.
    /// @param n 1: the next. @param error an errno value.
    /// @throws std::invalid_argument when `n` or `error` is not positive.
    void failNth(Operation operation, std::uint64_t n, int error);

    /// Forgets faults that have not come yet.
    void clear() noexcept;

    /// Operations so far, failed ones included.
    std::uint64_t count(Operation operation) const noexcept { return slot(operation).count; }

    /// Whether a fault of the kind is still to come.
    bool isWaiting(Operation operation) const noexcept { return slot(operation).error != 0; }

    /// For the backend: counts one operation. @returns the errno that it shall fail with; 0: it goes on.
    int next(Operation operation) noexcept;

private:
    struct Slot {
        std::uint64_t count = 0;
        std::uint64_t failAt = 0;
        int error = 0;

        int step() noexcept;
    };

    Slot& slot(Operation operation) noexcept { return slots_[static_cast<std::size_t>(operation)]; }
    const Slot& slot(Operation operation) const noexcept { return slots_[static_cast<std::size_t>(operation)]; }

    std::array<Slot, 6> slots_{};
};

} // namespace torsion::testing
