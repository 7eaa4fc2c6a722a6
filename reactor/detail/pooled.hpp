#pragma once

#include <reactor/detail/sanitizer.hpp>

#include <cstddef>
#include <new>

namespace torsion::detail {

/// Gives classes that come and go with every connection memory from a free list of their thread instead of the heap:
/// derive `T` from `Pooled<T>`. Nothing is pooled under AddressSanitizer, which shall see each life on its own.
template <class T>
class Pooled {
public:
    /// Objects' memory kept at most, per class and thread; more goes back to the heap.
    static constexpr std::size_t kMaxKept = 256;

    static void* operator new(std::size_t size) {
        if (kAddressSanitizer || size != sizeof(T) || kept_.head == nullptr)
            return ::operator new(size);
        Free* block = kept_.head;
        kept_.head = block->next;
        --kept_.count;
        return block;
    }

    static void operator delete(void* memory, std::size_t size) noexcept {
        if (kAddressSanitizer || size != sizeof(T) || kept_.closed || kept_.count >= kMaxKept) {
            ::operator delete(memory);
            return;
        }
        closer_.arm();
        kept_.head = ::new (memory) Free{kept_.head};
        ++kept_.count;
    }

protected:
    ~Pooled() = default;

private:
    struct Free {
        Free* next;
    };

    /// Trivially destructible: static objects are destroyed after the thread's own.
    struct List {
        Free* head;
        std::size_t count;
        bool closed;
    };

    /// Empties the list at the end of its thread; what is freed after that goes to the heap.
    struct Closer {
        // The first object freed on a thread makes the closer; a destructor alone would never run.
        void arm() const noexcept {}
        ~Closer() {
            kept_.closed = true;
            while (Free* block = kept_.head) {
                kept_.head = block->next;
                ::operator delete(block);
            }
            kept_.count = 0;
        }
    };

    static inline constinit thread_local List kept_{};
    static inline thread_local Closer closer_;
};

} // namespace torsion::detail
