#pragma once

#include <array>
#include <cstdint>

namespace torsion {

/// A source of random integers. The distributions are our own and made of integers alone, so that the same seed gives
/// the same numbers on every machine. An object belongs to one thread.
class Random {
public:
    Random() = default;
    virtual ~Random() = default;
    Random(const Random&) = delete;
    Random& operator=(const Random&) = delete;

    /// 64 random bits.
    virtual std::uint64_t next() = 0;

    /// A number from 0 to `bound` - 1, each as likely as the others. Throws std::invalid_argument when `bound` is 0.
    std::uint64_t below(std::uint64_t bound);

    /// A number from `first` to `last`, both included. Throws std::invalid_argument when `last` < `first`.
    std::int64_t between(std::int64_t first, std::int64_t last);
};

/// The numbers that follow from a seed: for jitter, tests and simulation, never for secrets. (xoshiro256** of
/// D. Blackman and S. Vigna, https://prng.di.unimi.it; seeded through splitmix64.)
class SeededRandom final : public Random {
public:
    explicit SeededRandom(std::uint64_t seed) noexcept;

    std::uint64_t next() noexcept override;

private:
    std::array<std::uint64_t, 4> state_;
};

} // namespace torsion
