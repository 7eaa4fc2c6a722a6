#pragma once

#include <cstddef>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TORSION_ADDRESS_SANITIZER
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) && !defined(TORSION_ADDRESS_SANITIZER)
#define TORSION_ADDRESS_SANITIZER
#endif

#ifdef TORSION_ADDRESS_SANITIZER
#undef TORSION_ADDRESS_SANITIZER
#include <sanitizer/asan_interface.h>

namespace torsion::detail {

/// Whether this is a build with AddressSanitizer. Pools then hide or give back what is free, so that a use after free
/// is found.
inline constexpr bool kAddressSanitizer = true;

/// Makes every access to the bytes a reported error, until unpoison().
inline void poison(const void* memory, std::size_t size) noexcept {
    __asan_poison_memory_region(memory, size);
}

inline void unpoison(const void* memory, std::size_t size) noexcept {
    __asan_unpoison_memory_region(memory, size);
}

} // namespace torsion::detail

#else

namespace torsion::detail {

inline constexpr bool kAddressSanitizer = false;

inline void poison(const void*, std::size_t) noexcept {}

inline void unpoison(const void*, std::size_t) noexcept {}

} // namespace torsion::detail

#endif
