#include <reactor/byte_order.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <string>

using namespace torsion;

namespace {

template <class T>
std::string bytesOf(T value) {
    std::string bytes(sizeof value, '\0');
    std::memcpy(bytes.data(), &value, sizeof value);
    return bytes;
}

} // namespace

TEST_CASE("network order has the most significant byte first, and back again it is the number") {
    CHECK(bytesOf(toNetworkOrder(std::uint8_t{0x12})) == "\x12");
    CHECK(bytesOf(toNetworkOrder(std::uint16_t{0x1234})) == "\x12\x34");
    CHECK(bytesOf(toNetworkOrder(std::uint32_t{0x12345678})) == "\x12\x34\x56\x78");
    CHECK(bytesOf(toNetworkOrder(std::uint64_t{0x123456789abcdef0})) == "\x12\x34\x56\x78\x9a\xbc\xde\xf0");
    static_assert(fromNetworkOrder(toNetworkOrder(std::uint16_t{0xfffe})) == 0xfffe);
    static_assert(fromNetworkOrder(toNetworkOrder(std::uint64_t{0x0102030405060708})) == 0x0102030405060708);
}
