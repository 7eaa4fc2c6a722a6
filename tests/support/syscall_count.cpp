#include "support/syscall_count.hpp"

#include <cerrno>
#include <cstdlib>

#ifdef __has_feature
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define TORSION_CANNOT_COUNT
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__GLIBC__)
#define TORSION_CANNOT_COUNT
#endif

namespace {

struct Counters {
    torsion::test::Costs costs;
    std::int64_t heap;
};

constinit thread_local Counters counters{};

} // namespace

torsion::test::Costs torsion::test::SyscallCount::total() noexcept {
    return counters.costs;
}

torsion::test::Costs torsion::test::SyscallCount::get() const noexcept {
    const Costs now = total();
    return {.receives = now.receives - start_.receives,
            .sends = now.sends - start_.sends,
            .controls = now.controls - start_.controls,
            .allocations = now.allocations - start_.allocations};
}

std::int64_t torsion::test::SyscallCount::heapBytes() noexcept {
    return counters.heap;
}

#ifdef TORSION_CANNOT_COUNT

bool torsion::test::SyscallCount::works() noexcept {
    return false;
}

#else

#include <dlfcn.h>
#include <malloc.h>
#include <sys/types.h>

bool torsion::test::SyscallCount::works() noexcept {
    return true;
}

struct epoll_event;
struct iovec;
struct msghdr;

// glibc's own names for its allocator: dlsym allocates, and so cannot be asked for malloc.
extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* block, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);
void __libc_free(void* block);
}

namespace {

/// The C library's function that one of ours stands before.
template <class F>
F next(const char* name) {
    return reinterpret_cast<F>(::dlsym(RTLD_NEXT, name));
}

void* taken(void* block) {
    ++counters.costs.allocations;
    counters.heap += static_cast<std::int64_t>(::malloc_usable_size(block));
    return block;
}

void given(void* block) {
    counters.heap -= static_cast<std::int64_t>(::malloc_usable_size(block));
}

} // namespace

// The names are given to the linker alone: the headers declare some of these functions as inline (_FORTIFY_SOURCE).
#define TORSION_WRAP(result, name, parameters, arguments, counter)                                                     \
    extern "C" result torsionCounted_##name parameters __asm__(#name);                                                 \
    extern "C" result torsionCounted_##name parameters {                                                               \
        static const auto real = next<result(*) parameters>(#name);                                                    \
        ++counters.costs.counter;                                                                                      \
        return real arguments;                                                                                         \
    }

TORSION_WRAP(ssize_t, read, (int fd, void* data, std::size_t size), (fd, data, size), receives)
TORSION_WRAP(ssize_t, recv, (int fd, void* data, std::size_t size, int flags), (fd, data, size, flags), receives)
TORSION_WRAP(ssize_t, write, (int fd, const void* data, std::size_t size), (fd, data, size), sends)
TORSION_WRAP(ssize_t, writev, (int fd, const iovec* pieces, int count), (fd, pieces, count), sends)
TORSION_WRAP(ssize_t, send, (int fd, const void* data, std::size_t size, int flags), (fd, data, size, flags), sends)
TORSION_WRAP(ssize_t, sendmsg, (int fd, const msghdr* message, int flags), (fd, message, flags), sends)
TORSION_WRAP(int, epoll_ctl, (int poll, int what, int fd, epoll_event* event), (poll, what, fd, event), controls)

extern "C" void* torsionCounted_malloc(std::size_t size) __asm__("malloc");
extern "C" void* torsionCounted_malloc(std::size_t size) {
    return taken(__libc_malloc(size));
}

extern "C" void* torsionCounted_calloc(std::size_t count, std::size_t size) __asm__("calloc");
extern "C" void* torsionCounted_calloc(std::size_t count, std::size_t size) {
    return taken(__libc_calloc(count, size));
}

// What operator new calls for types with a large alignment, and what C programs call.
extern "C" void* torsionCounted_aligned_alloc(std::size_t alignment, std::size_t size) __asm__("aligned_alloc");
extern "C" void* torsionCounted_aligned_alloc(std::size_t alignment, std::size_t size) {
    return taken(__libc_memalign(alignment, size));
}

extern "C" int torsionCounted_posix_memalign(void** block, std::size_t alignment,
                                             std::size_t size) __asm__("posix_memalign");
extern "C" int torsionCounted_posix_memalign(void** block, std::size_t alignment, std::size_t size) {
    void* memory = __libc_memalign(alignment, size);
    if (memory == nullptr)
        return ENOMEM;
    *block = taken(memory);
    return 0;
}

extern "C" void* torsionCounted_realloc(void* block, std::size_t size) __asm__("realloc");
extern "C" void* torsionCounted_realloc(void* block, std::size_t size) {
    given(block);
    return taken(__libc_realloc(block, size));
}

extern "C" void torsionCounted_free(void* block) __asm__("free");
extern "C" void torsionCounted_free(void* block) {
    given(block);
    __libc_free(block);
}

#endif
