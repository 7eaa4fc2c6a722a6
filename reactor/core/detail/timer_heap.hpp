#pragma once

#include <reactor/time_point.hpp>

#include <cstddef>
#include <cstdint>
#include <new>
#include <optional>
#include <span>
#include <vector>

namespace torsion::detail {

/// The order of a TimerQueue: a heap of (time, sequence number, slot) with four children a node, and the place of each
/// slot in it, so that any entry can be taken out or moved in O(log n).
///
///     index  3 │ 4  5  6  7 │ 8  9 10 11 │ 12 …      The root is at 3: then the four children of a node begin at a
///            └─┴──┴──┴──┘      └ children of 4        multiple of four, and fill one cache line of 64 bytes.
///
/// Places are kept here and not in the nodes: moving an entry then writes four bytes of a dense table, not a cache line
/// of a node that is otherwise not needed.
class TimerHeap {
public:
    struct Entry {
        TimePoint time;
        std::uint32_t sequence;
        std::uint32_t slot;
    };

    // Without branches: which of two random times is less cannot be predicted.
    static bool isLess(const Entry& a, const Entry& b) noexcept {
        return (int{a.time < b.time} | (int{a.time == b.time} & int{a.sequence < b.sequence})) != 0;
    }

    TimerHeap();

    bool empty() const noexcept { return entries_.size() == kRoot; }
    std::size_t size() const noexcept { return entries_.size() - kRoot; }

    /// The entry with the least (time, sequence). Not for an empty heap.
    const Entry& front() const noexcept { return entries_[kRoot]; }

    bool isFront(std::uint32_t slot) const noexcept { return !empty() && front().slot == slot; }

    /// Makes room for slots below `slots`, so that push() of one that is not in does not throw.
    void reserve(std::size_t slots);

    void push(const Entry& entry) noexcept;
    void erase(std::uint32_t slot) noexcept;

    /// Replaces the entry of the same slot.
    void update(const Entry& entry) noexcept;

    /// All entries, in no particular order. Their sequence numbers may be changed where that leaves their order as it
    /// is.
    std::span<Entry> entries() noexcept { return std::span(entries_).subspan(kRoot); }
    std::span<const Entry> entries() const noexcept { return std::span(entries_).subspan(kRoot); }

    /// The least time after `time`; empty when there is none. Takes O(entries up to `time`).
    std::optional<TimePoint> firstAfter(TimePoint time) const;

private:
    static constexpr std::size_t kRoot = 3;
    static constexpr std::size_t kCacheLine = 64;

    template <class T>
    struct LineAllocator {
        using value_type = T;
        LineAllocator() = default;
        template <class U>
        LineAllocator(const LineAllocator<U>&) noexcept {}
        T* allocate(std::size_t n) {
            return static_cast<T*>(::operator new(n * sizeof(T), std::align_val_t{kCacheLine}));
        }
        // Not the sized form: clang has it with -fsized-deallocation alone.
        void deallocate(T* memory, std::size_t) noexcept { ::operator delete(memory, std::align_val_t{kCacheLine}); }
        friend bool operator==(const LineAllocator&, const LineAllocator&) noexcept { return true; }
    };

    static std::size_t parent(std::size_t index) noexcept { return index / 4 + 2; }
    static std::size_t firstChild(std::size_t index) noexcept { return 4 * index - 8; }

    void place(std::size_t index, const Entry& entry) noexcept {
        entries_[index] = entry;
        places_[entry.slot] = static_cast<std::uint32_t>(index);
    }
    void siftUp(std::size_t index, const Entry& entry) noexcept;
    void siftDown(std::size_t index, const Entry& entry) noexcept;
    void sift(std::size_t index, const Entry& entry) noexcept;

    std::vector<Entry, LineAllocator<Entry>> entries_;
    std::vector<std::uint32_t> places_;
};

} // namespace torsion::detail
