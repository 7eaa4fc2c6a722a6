#include <reactor/libuv/secure_random.hpp>
#include <reactor/random.hpp>

#include <doctest/doctest.h>

#include <array>
#include <limits>
#include <stdexcept>

using torsion::Random;
using torsion::SecureRandom;
using torsion::SeededRandom;

namespace {

/// Gives the numbers it is told to.
class Scripted final : public Random {
public:
    explicit Scripted(std::array<std::uint64_t, 2> numbers) : numbers_(numbers) {}
    std::uint64_t next() override { return numbers_.at(index_++); }

private:
    std::array<std::uint64_t, 2> numbers_;
    std::size_t index_ = 0;
};

} // namespace

TEST_CASE("the same seed gives the same numbers, on every machine") {
    SeededRandom first(1);
    SeededRandom second(1);
    SeededRandom other(2);
    CHECK(first.next() == 0xb3f2af6d0fc710c5U);
    CHECK(second.next() == 0xb3f2af6d0fc710c5U);
    CHECK(first.next() == second.next());
    CHECK(first.next() != other.next());
}

TEST_CASE("below reaches every number under its bound and no other") {
    SeededRandom random(7);
    std::array<int, 6> seen{};
    for (int i = 0; i < 6000; ++i)
        ++seen.at(random.below(6));
    for (const int times : seen)
        CHECK((times > 800 && times < 1200));
    CHECK(random.below(1) == 0);
    CHECK_THROWS_AS(random.below(0), std::invalid_argument);
}

TEST_CASE("below draws again where a remainder would be likelier than others") {
    // 2^64 mod 3 is 1: the number 0 has no two partners.
    Scripted random({0, 5});
    CHECK(random.below(3) == 2);
}

TEST_CASE("between includes both ends, whatever they are") {
    SeededRandom random(7);
    bool low = false;
    bool high = false;
    for (int i = 0; i < 200; ++i) {
        const std::int64_t number = random.between(-2, 2);
        CHECK((number >= -2 && number <= 2));
        low = low || number == -2;
        high = high || number == 2;
    }
    CHECK(low);
    CHECK(high);
    CHECK(random.between(5, 5) == 5);
    constexpr auto kMin = std::numeric_limits<std::int64_t>::min();
    constexpr auto kMax = std::numeric_limits<std::int64_t>::max();
    CHECK_NOTHROW(random.between(kMin, kMax));
    CHECK(Scripted({0, 0}).between(kMin, kMax) == kMin);
    CHECK_THROWS_AS(random.between(1, 0), std::invalid_argument);
}

TEST_CASE("the operating system's random numbers differ from each other") {
    SecureRandom random;
    const std::uint64_t first = random.next();
    CHECK((random.next() != first || random.next() != first));
}
