#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iosfwd>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

struct sockaddr;
struct sockaddr_storage;

namespace torsion {

/// Where an end of a connection is: an IPv4 or IPv6 address with a port, the path of a UNIX socket, or nothing at all.
/// A value of 32 bytes; copying allocates nothing. Names are never resolved here.
class Address {
public:
    enum class Kind : std::uint8_t { None, IPv4, IPv6, Unix };

    /// The same as none().
    Address() noexcept = default;

    /// No address: that of a transport that is not connected.
    static Address none() noexcept { return {}; }

    /// @param host four decimal numbers, "127.0.0.1".
    /// @param port 0 to 65535.
    /// Throws InvalidAddressError naming what is wrong; so do the following.
    static Address ipv4(std::string_view host, int port);

    /// @param host "::1", without brackets and scope.
    /// @param scopeId the number of the interface that a link-local address belongs to, 0 for none.
    static Address ipv6(std::string_view host, int port, std::uint32_t scopeId = 0);

    /// An address of either family. IPv6 addresses may bear a scope, by name or number: "fe80::1%eth0", "fe80::1%2".
    static Address parse(std::string_view host, int port);

    /// As parse(), but without a value where parse() throws.
    static std::optional<Address> tryParse(std::string_view host, int port);

    /// A UNIX socket. A path that begins with a zero byte is a name in Linux's abstract namespace. (Not called `unix`,
    /// which GCC defines as a macro in its own dialect.)
    /// @param path 1 to 107 bytes, without zero bytes but the one in front of an abstract name.
    static Address unixPath(std::string_view path);

    /// The address in `address`, of which `size` bytes are valid: AF_INET, AF_INET6, AF_UNIX (an empty path where the
    /// socket has no name). None for other families and for addresses cut short.
    static Address fromSockaddr(const sockaddr* address, std::size_t size);

    /// The IPv4 or IPv6 address that `bytes` are, in network order, as the socket module's inet_ntop takes them.
    /// @param bytes 4 or 16 of them.
    static Address fromPacked(std::string_view bytes, int port = 0);

    /// The same address with another port; throws as the above. UNIX sockets and none() have no port: unchanged.
    Address withPort(int port) const;

    /// The bytes of the address in network order, 4 of IPv4, 16 of IPv6, without port and scope. None of other kinds.
    std::string packed() const;

    /// Writes the address into `storage`. Returns the bytes that count, as bind and connect take them; 0 for none().
    std::size_t toSockaddr(sockaddr_storage& storage) const noexcept;

    Kind kind() const noexcept { return kind_; }
    bool isNone() const noexcept { return kind_ == Kind::None; }
    bool isIPv4() const noexcept { return kind_ == Kind::IPv4; }
    bool isIPv6() const noexcept { return kind_ == Kind::IPv6; }
    bool isUnix() const noexcept { return kind_ == Kind::Unix; }

    /// 127.0.0.0/8, also as IPv4-mapped IPv6 address, and ::1. False for UNIX sockets.
    bool isLoopback() const noexcept;

    /// 0.0.0.0 or ::, all addresses of the machine.
    bool isWildcard() const noexcept;

    /// A UNIX socket in the abstract namespace.
    bool isAbstract() const noexcept;

    /// The address without the port, in numbers, with the scope as %name, or %number when no interface has that number
    /// any more. "" for UNIX sockets and none().
    std::string host() const;

    /// 0 for UNIX sockets and none().
    std::uint16_t port() const noexcept { return port_; }

    /// The number of the interface of a link-local IPv6 address; 0 for none.
    std::uint32_t scopeId() const noexcept { return scopeId_; }

    /// The path of a UNIX socket, "" for what is none.
    const std::string& path() const noexcept;

    /// "127.0.0.1:80", "[fe80::1%eth0]:80", "unix:/run/x", "unix:@abstract", "none".
    std::string toString() const;

    /// Addresses are ordered by kind, then by their bytes or path, then by port and scope.
    friend bool operator==(const Address& left, const Address& right) noexcept { return (left <=> right) == 0; }
    friend std::strong_ordering operator<=>(const Address& left, const Address& right) noexcept;
    friend std::ostream& operator<<(std::ostream& stream, const Address& address);

private:
    friend struct std::hash<Address>;

    using Bytes = std::array<std::uint8_t, 16>;
    using Path = std::shared_ptr<const std::string>;

    std::size_t hash() const noexcept;

    Bytes bytes_{}; // IPv4 in the first four; of a UNIX socket all zero
    Path path_;     // of UNIX sockets alone
    std::uint32_t scopeId_ = 0;
    std::uint16_t port_ = 0;
    Kind kind_ = Kind::None;
};

static_assert(sizeof(Address) <= 40);

} // namespace torsion

template <>
struct std::hash<torsion::Address> {
    std::size_t operator()(const torsion::Address& address) const noexcept { return address.hash(); }
};
