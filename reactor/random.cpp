#include <reactor/random.hpp>

#include <bit>
#include <limits>
#include <stdexcept>

namespace torsion {

std::uint64_t Random::below(std::uint64_t bound) {
    if (bound == 0)
        throw std::invalid_argument("Random::below: the bound is 0");
    // 2^64 is seldom a multiple of the bound; the lowest 2^64 mod bound numbers would make some results likelier. Less
    // than half of all numbers are thrown away, whatever the bound.
    const std::uint64_t excess = (0 - bound) % bound;
    std::uint64_t number = next();
    while (number < excess)
        number = next();
    return number % bound;
}

std::int64_t Random::between(std::int64_t first, std::int64_t last) {
    if (last < first)
        throw std::invalid_argument("Random::between: the last number is below the first");
    const std::uint64_t span = static_cast<std::uint64_t>(last) - static_cast<std::uint64_t>(first);
    const std::uint64_t offset = span == std::numeric_limits<std::uint64_t>::max() ? next() : below(span + 1);
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(first) + offset);
}

SeededRandom::SeededRandom(std::uint64_t seed) noexcept {
    for (std::uint64_t& word : state_) {
        seed += 0x9e3779b97f4a7c15U;
        std::uint64_t mixed = (seed ^ (seed >> 30)) * 0xbf58476d1ce4e5b9U;
        mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebU;
        word = mixed ^ (mixed >> 31);
    }
}

std::uint64_t SeededRandom::next() noexcept {
    const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    const std::uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
}

} // namespace torsion
