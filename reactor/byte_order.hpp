#pragma once

#include <bit>
#include <concepts>
#include <cstddef>

namespace torsion {

/// `value` with its bytes in network order, the most significant first: what htons and htonl do, for unsigned integers
/// of any size. The result is for memory that goes to a peer, not for reckoning.
template <std::unsigned_integral T>
constexpr T toNetworkOrder(T value) noexcept {
    if constexpr (std::endian::native == std::endian::big || sizeof(T) == 1) {
        return value;
    } else {
        constexpr T kByte = 0xff;
        T swapped = 0;
        for (std::size_t i = 0; i < sizeof(T); ++i) { // compilers make one instruction of it
            swapped = static_cast<T>(static_cast<T>(swapped << 8) | (value & kByte));
            value = static_cast<T>(value >> 8);
        }
        return swapped;
    }
}

/// The integer whose bytes in network order `value` holds: what ntohs and ntohl do.
template <std::unsigned_integral T>
constexpr T fromNetworkOrder(T value) noexcept {
    return toNetworkOrder(value);
}

} // namespace torsion
