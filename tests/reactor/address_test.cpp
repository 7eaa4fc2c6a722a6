#include <reactor/address.hpp>
#include <reactor/errors.hpp>

#include <doctest/doctest.h>

#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstring>
#include <set>
#include <sstream>
#include <string>
#include <unordered_set>

using torsion::Address;
using torsion::InvalidAddressError;

namespace {

Address roundTrip(const Address& address) {
    sockaddr_storage storage;
    const std::size_t size = address.toSockaddr(storage);
    return Address::fromSockaddr(reinterpret_cast<const sockaddr*>(&storage), size);
}

} // namespace

TEST_CASE("an address prints itself") {
    CHECK(Address::ipv4("127.0.0.1", 80).toString() == "127.0.0.1:80");
    CHECK(Address::ipv6("2001:DB8:0::1", 443).toString() == "[2001:db8::1]:443");
    CHECK(Address::unixPath("/run/x").toString() == "unix:/run/x");
    CHECK(Address::unixPath(std::string_view("\0name", 5)).toString() == "unix:@name");
    CHECK(Address::none().toString() == "none");
    std::ostringstream stream;
    stream << Address::ipv4("10.0.0.1", 0);
    CHECK(stream.str() == "10.0.0.1:0");
}

TEST_CASE("an address tells its parts") {
    const Address four = Address::ipv4("10.1.2.3", 65535);
    CHECK(four.isIPv4());
    CHECK(four.kind() == Address::Kind::IPv4);
    CHECK(four.host() == "10.1.2.3");
    CHECK(four.port() == 65535);
    CHECK(four.path() == "");

    const Address six = Address::ipv6("fe80::1", 80, 1234567);
    CHECK(six.isIPv6());
    CHECK(six.scopeId() == 1234567);
    CHECK(six.host() == "fe80::1%1234567");

    const Address path = Address::unixPath("/run/x");
    CHECK(path.isUnix());
    CHECK(path.path() == "/run/x");
    CHECK(path.host() == "");
    CHECK(path.port() == 0);
    CHECK_FALSE(path.isAbstract());
    CHECK(Address::unixPath(std::string_view("\0name", 5)).isAbstract());
    CHECK(Address().isNone());
}

TEST_CASE("parse tells the family from the text") {
    CHECK(Address::parse("192.0.2.7", 1) == Address::ipv4("192.0.2.7", 1));
    CHECK(Address::parse("::1", 1) == Address::ipv6("::1", 1));
    CHECK(Address::parse("::ffff:1.2.3.4", 1).isIPv6());
    CHECK(Address::tryParse("::", 0)->isWildcard());
}

TEST_CASE("parse takes the scope of an IPv6 address by number and by the interface's name") {
    const unsigned loopback = ::if_nametoindex("lo");
    REQUIRE(loopback != 0);
    const Address byName = Address::parse("fe80::1%lo", 80);
    CHECK(byName.scopeId() == loopback);
    CHECK(byName.toString() == "[fe80::1%lo]:80");
    CHECK(Address::parse("fe80::1%" + std::to_string(loopback), 80) == byName);
    CHECK_THROWS_WITH_AS(Address::parse("fe80::1%nowhere", 80), "'fe80::1%nowhere' names no interface of this machine",
                         InvalidAddressError);
    CHECK_FALSE(Address::tryParse("fe80::1%", 80).has_value());
    CHECK_FALSE(Address::tryParse("fe80::1%0", 80).has_value());
    CHECK_FALSE(Address::tryParse("127.0.0.1%lo", 80).has_value());
}

TEST_CASE("what is no address throws and is named") {
    CHECK_THROWS_WITH_AS(Address::parse("localhost", 80), "'localhost' is neither an IPv4 nor an IPv6 address",
                         InvalidAddressError);
    CHECK_THROWS_WITH_AS(Address::ipv4("::1", 80), "'::1' is not an IPv4 address", InvalidAddressError);
    CHECK_THROWS_WITH_AS(Address::ipv6("1.2.3.4", 80), "'1.2.3.4' is not an IPv6 address", InvalidAddressError);
    CHECK_THROWS_WITH_AS(Address::ipv4("127.0.0.1", 65536), "the port 65536 is not between 0 and 65535",
                         InvalidAddressError);
    CHECK_THROWS_AS(Address::parse("::1", -1), InvalidAddressError);
    CHECK_THROWS_AS(Address::unixPath(""), InvalidAddressError);
    CHECK_THROWS_AS(Address::unixPath(std::string(108, 'x')), InvalidAddressError);
    CHECK_THROWS_AS(Address::unixPath(std::string_view("/a\0b", 4)), InvalidAddressError);
    for (const char* text :
         {"", "1.2.3", "1.2.3.4.5", "256.0.0.1", " 1.2.3.4", "1.2.3.4 ", "[::1]", ":::", "1:2", "%1"})
        CHECK_MESSAGE(!Address::tryParse(text, 80).has_value(), text);
    CHECK_FALSE(Address::tryParse("127.0.0.1", 70000).has_value());
    CHECK_FALSE(Address::tryParse(std::string_view("1.2.3.4\0", 8), 80).has_value());
    CHECK_FALSE(Address::tryParse(std::string(1000, '1'), 80).has_value());
}

TEST_CASE("loopback and wildcard addresses are recognised") {
    CHECK(Address::ipv4("127.5.6.7", 0).isLoopback());
    CHECK(Address::ipv6("::1", 0).isLoopback());
    CHECK(Address::ipv6("::ffff:127.0.0.1", 0).isLoopback());
    CHECK_FALSE(Address::ipv4("128.0.0.1", 0).isLoopback());
    CHECK_FALSE(Address::ipv6("::2", 0).isLoopback());
    CHECK_FALSE(Address::ipv6("1::1", 0).isLoopback());
    CHECK_FALSE(Address::unixPath("/run/x").isLoopback());
    CHECK(Address::ipv4("0.0.0.0", 80).isWildcard());
    CHECK(Address::ipv6("::", 80).isWildcard());
    CHECK_FALSE(Address::ipv4("0.0.0.1", 80).isWildcard());
    CHECK_FALSE(Address::none().isWildcard());
}

TEST_CASE("an address survives the way through the system's structure") {
    for (const Address& address :
         {Address::ipv4("1.2.3.4", 5), Address::ipv6("fe80::1", 80, 3), Address::unixPath("/run/x"),
          Address::unixPath(std::string_view("\0a\0b", 4)), Address::unixPath(std::string(107, 'p')), Address::none()})
        CHECK(roundTrip(address) == address);

    sockaddr_storage storage;
    CHECK(Address::none().toSockaddr(storage) == 0);
    CHECK(Address::ipv4("1.2.3.4", 5).toSockaddr(storage) == sizeof(sockaddr_in));
    CHECK(reinterpret_cast<const sockaddr_in&>(storage).sin_port == htons(5));
    // The terminating zero counts for a path and would be a part of an abstract name.
    CHECK(Address::unixPath("/x").toSockaddr(storage) == offsetof(sockaddr_un, sun_path) + 3);
    CHECK(Address::unixPath(std::string_view("\0x", 2)).toSockaddr(storage) == offsetof(sockaddr_un, sun_path) + 2);
}

TEST_CASE("a structure of the system that is foreign or cut short gives no address") {
    sockaddr_storage storage;
    Address::ipv6("::1", 80).toSockaddr(storage);
    const auto* address = reinterpret_cast<const sockaddr*>(&storage);
    CHECK(Address::fromSockaddr(nullptr, 0).isNone());
    for (std::size_t size = 0; size < sizeof(sockaddr_in6); ++size)
        CHECK(Address::fromSockaddr(address, size).isNone());
    storage.ss_family = AF_NETLINK;
    CHECK(Address::fromSockaddr(address, sizeof storage).isNone());
}

TEST_CASE("a UNIX socket without a name has an empty path") {
    sockaddr_un unnamed{};
    unnamed.sun_family = AF_UNIX;
    const Address address = Address::fromSockaddr(reinterpret_cast<const sockaddr*>(&unnamed), sizeof(sa_family_t));
    CHECK(address.isUnix());
    CHECK(address.path() == "");
    CHECK(address.toString() == "unix:");
    sockaddr_storage storage;
    CHECK(address.toSockaddr(storage) == sizeof(sa_family_t));
}

TEST_CASE("addresses are equal, ordered and hashed by value") {
    CHECK(Address::unixPath("/a") == Address::unixPath("/a"));
    CHECK(Address::unixPath("/a") != Address::unixPath("/b"));
    CHECK(Address::ipv6("fe80::1", 80, 1) != Address::ipv6("fe80::1", 80, 2));
    CHECK(Address::ipv4("0.0.0.0", 0) != Address::ipv6("::", 0));

    const std::set<Address> ordered{Address::unixPath("/a"),     Address::ipv6("::1", 1), Address::ipv4("10.0.0.1", 1),
                                    Address::ipv4("9.0.0.1", 2), Address::none(),         Address::ipv4("9.0.0.1", 1)};
    std::string text;
    for (const Address& address : ordered)
        text += address.toString() + ' ';
    CHECK(text == "none 9.0.0.1:1 9.0.0.1:2 10.0.0.1:1 [::1]:1 unix:/a ");

    std::unordered_set<Address> hashed(ordered.begin(), ordered.end());
    CHECK(hashed.size() == ordered.size());
    CHECK(hashed.contains(Address::unixPath("/a")));
    CHECK_FALSE(hashed.contains(Address::ipv4("9.0.0.1", 3)));
    CHECK(std::hash<Address>()(Address::unixPath("/a")) == std::hash<Address>()(Address::unixPath("/a")));
}

TEST_CASE("an address is packed into its bytes in network order, and unpacked again") {
    CHECK(Address::ipv4("127.0.0.1", 80).packed() == std::string("\x7f\0\0\x01", 4));
    CHECK(Address::ipv6("2001:db8::1", 80).packed() == std::string("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01", 16));
    CHECK(Address::unixPath("/x").packed().empty());
    CHECK(Address::none().packed().empty());
    for (const Address& each : {Address::ipv4("192.0.2.7", 5), Address::ipv6("2001:db8::7", 5)})
        CHECK(Address::fromPacked(each.packed(), 5) == each);
    CHECK(Address::fromPacked(std::string(16, '\0')).host() == "::");
}

TEST_CASE("bytes that are no address are refused, with their number") {
    for (const std::size_t size : {0, 3, 5, 15, 17}) {
        CHECK_THROWS_WITH_AS(static_cast<void>(Address::fromPacked(std::string(size, 'x'))),
                             (std::to_string(size) + " bytes are no address: IPv4 has 4, IPv6 16").c_str(),
                             InvalidAddressError);
    }
    CHECK_THROWS_AS(static_cast<void>(Address::fromPacked("abcd", 65536)), InvalidAddressError);
}

TEST_CASE("an address with another port is the same but for that; what has no port stays as it is") {
    CHECK(Address::ipv4("192.0.2.7", 5).withPort(6) == Address::ipv4("192.0.2.7", 6));
    CHECK(Address::ipv6("fe80::1", 5, 2).withPort(6) == Address::ipv6("fe80::1", 6, 2));
    CHECK(Address::unixPath("/x").withPort(6) == Address::unixPath("/x"));
    CHECK(Address::none().withPort(6).isNone());
    CHECK_THROWS_AS(static_cast<void>(Address::none().withPort(-1)), InvalidAddressError);
}
