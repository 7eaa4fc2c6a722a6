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
        List& list = kept();
        if (kAddressSanitizer || size != sizeof(T) || list.head == nullptr)
            return ::operator new(size);
        Free* block = list.head;
        list.head = block->next;
        --list.count;
        return block;
    }

    static void operator delete(void* memory, std::size_t size) noexcept {
        List& list = kept();
        if (kAddressSanitizer || size != sizeof(T) || list.count >= kMaxKept) {
            ::operator delete(memory);
            return;
        }
        list.head = ::new (memory) Free{list.head};
        ++list.count;
    }

protected:
    ~Pooled() = default;

private:
    struct Free {
        Free* next;
    };
    struct List {
        Free* head = nullptr;
        std::size_t count = 0;
        ~List() {
            count = kMaxKept; // what is freed after the thread's end goes to the heap
            while (head != nullptr) {
                Free* block = head;
                head = block->next;
                ::operator delete(block);
            }
        }
    };

    static List& kept() noexcept {
        static thread_local List list;
        return list;
    }
};

} // namespace torsion::detail
