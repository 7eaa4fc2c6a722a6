#include <reactor/address.hpp>

#include <reactor/errors.hpp>

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <ostream>

namespace torsion {

namespace {

constexpr std::size_t kPathOffset = offsetof(sockaddr_un, sun_path);
constexpr std::size_t kMaxPath = sizeof(sockaddr_un::sun_path) - 1;

/// ::ffff:0:0/96
constexpr std::array<std::uint8_t, 12> kMappedPrefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool isPort(int port) {
    return port >= 0 && port <= 65535;
}

/// inet_pton wants a terminated string; no address is longer than the buffer.
bool parseBytes(int family, std::string_view host, std::uint8_t* bytes) {
    char text[INET6_ADDRSTRLEN];
    if (host.size() >= sizeof text || host.find('\0') != std::string_view::npos)
        return false;
    *std::copy(host.begin(), host.end(), text) = '\0';
    return ::inet_pton(family, text, bytes) == 1;
}

/// The number of the interface that "eth0" or "2" names, 0 for none.
std::uint32_t parseScope(std::string_view scope) {
    std::uint32_t number = 0;
    const auto [end, error] = std::from_chars(scope.data(), scope.data() + scope.size(), number);
    if (error == std::errc() && end == scope.data() + scope.size())
        return number;
    if (scope.empty() || scope.size() >= IF_NAMESIZE || scope.find('\0') != std::string_view::npos)
        return 0;
    return ::if_nametoindex(std::string(scope).c_str());
}

std::string scopeName(std::uint32_t scopeId) {
    char name[IF_NAMESIZE];
    return ::if_indextoname(scopeId, name) != nullptr ? std::string(name) : fmt::format("{}", scopeId);
}

void requirePort(int port) {
    if (!isPort(port))
        throw InvalidAddressError(fmt::format("the port {} is not between 0 and 65535", port));
}

} // namespace

Address Address::ipv4(std::string_view host, int port) {
    requirePort(port);
    Address address;
    if (!parseBytes(AF_INET, host, address.bytes_.data()))
        throw InvalidAddressError(fmt::format("'{}' is not an IPv4 address", host));
    address.port_ = static_cast<std::uint16_t>(port);
    address.kind_ = Kind::IPv4;
    return address;
}

Address Address::ipv6(std::string_view host, int port, std::uint32_t scopeId) {
    requirePort(port);
    Address address;
    if (!parseBytes(AF_INET6, host, address.bytes_.data()))
        throw InvalidAddressError(fmt::format("'{}' is not an IPv6 address", host));
    address.scopeId_ = scopeId;
    address.port_ = static_cast<std::uint16_t>(port);
    address.kind_ = Kind::IPv6;
    return address;
}

Address Address::parse(std::string_view host, int port) {
    requirePort(port);
    if (std::optional<Address> address = tryParse(host, port))
        return *address;
    if (const std::size_t percent = host.find('%'); percent != std::string_view::npos) {
        if (tryParse(host.substr(0, percent), port))
            throw InvalidAddressError(fmt::format("'{}' names no interface of this machine", host));
    }
    throw InvalidAddressError(fmt::format("'{}' is neither an IPv4 nor an IPv6 address", host));
}

std::optional<Address> Address::tryParse(std::string_view host, int port) {
    if (!isPort(port))
        return std::nullopt;
    Address address;
    if (parseBytes(AF_INET, host, address.bytes_.data())) {
        address.kind_ = Kind::IPv4;
    } else {
        const std::size_t percent = host.find('%');
        if (!parseBytes(AF_INET6, host.substr(0, percent), address.bytes_.data()))
            return std::nullopt;
        if (percent != std::string_view::npos) {
            address.scopeId_ = parseScope(host.substr(percent + 1));
            if (address.scopeId_ == 0)
                return std::nullopt;
        }
        address.kind_ = Kind::IPv6;
    }
    address.port_ = static_cast<std::uint16_t>(port);
    return address;
}

Address Address::fromPacked(std::string_view bytes, int port) {
    requirePort(port);
    if (bytes.size() != sizeof(in_addr) && bytes.size() != sizeof(in6_addr)) {
        throw InvalidAddressError(fmt::format("{} bytes are no address: IPv4 has {}, IPv6 {}", bytes.size(),
                                              sizeof(in_addr), sizeof(in6_addr)));
    }
    Address address;
    std::copy(bytes.begin(), bytes.end(), address.bytes_.begin());
    address.port_ = static_cast<std::uint16_t>(port);
    address.kind_ = bytes.size() == sizeof(in_addr) ? Kind::IPv4 : Kind::IPv6;
    return address;
}

Address Address::withPort(int port) const {
    requirePort(port);
    Address address = *this;
    if (isIPv4() || isIPv6())
        address.port_ = static_cast<std::uint16_t>(port);
    return address;
}

std::string Address::packed() const {
    if (!isIPv4() && !isIPv6())
        return {};
    return {reinterpret_cast<const char*>(bytes_.data()), isIPv4() ? sizeof(in_addr) : sizeof(in6_addr)};
}

Address Address::unixPath(std::string_view path) {
    if (path.empty())
        throw InvalidAddressError("the path of a UNIX socket is empty");
    if (path.size() > kMaxPath)
        throw InvalidAddressError(
            fmt::format("the path of a UNIX socket has {} bytes, {} are possible: '{}'", path.size(), kMaxPath, path));
    if (path.front() != '\0' && path.find('\0') != std::string_view::npos)
        throw InvalidAddressError("the path of a UNIX socket contains a zero byte");
    Address address;
    address.path_ = std::make_shared<const std::string>(path);
    address.kind_ = Kind::Unix;
    return address;
}

Address Address::fromSockaddr(const sockaddr* address, std::size_t size) {
    Address result;
    if (address == nullptr || size < sizeof(sa_family_t))
        return result;
    if (address->sa_family == AF_INET && size >= sizeof(sockaddr_in)) {
        sockaddr_in in;
        std::memcpy(&in, address, sizeof in);
        std::memcpy(result.bytes_.data(), &in.sin_addr, sizeof in.sin_addr);
        result.port_ = ntohs(in.sin_port);
        result.kind_ = Kind::IPv4;
    } else if (address->sa_family == AF_INET6 && size >= sizeof(sockaddr_in6)) {
        sockaddr_in6 in;
        std::memcpy(&in, address, sizeof in);
        std::memcpy(result.bytes_.data(), &in.sin6_addr, sizeof in.sin6_addr);
        result.port_ = ntohs(in.sin6_port);
        result.scopeId_ = in.sin6_scope_id;
        result.kind_ = Kind::IPv6;
    } else if (address->sa_family == AF_UNIX) {
        const char* text = reinterpret_cast<const char*>(address) + std::min(size, kPathOffset);
        std::size_t length = size > kPathOffset ? std::min(size - kPathOffset, kMaxPath + 1) : 0;
        // The terminating zero of a path may be counted in or not; in an abstract name every byte counts.
        if (length > 0 && text[0] != '\0')
            length = ::strnlen(text, length);
        result.path_ = std::make_shared<const std::string>(text, length);
        result.kind_ = Kind::Unix;
    }
    return result;
}

std::size_t Address::toSockaddr(sockaddr_storage& storage) const noexcept {
    std::memset(&storage, 0, sizeof storage);
    switch (kind_) {
    case Kind::IPv4: {
        auto& in = reinterpret_cast<sockaddr_in&>(storage);
        in.sin_family = AF_INET;
        in.sin_port = htons(port_);
        std::memcpy(&in.sin_addr, bytes_.data(), sizeof in.sin_addr);
        return sizeof in;
    }
    case Kind::IPv6: {
        auto& in = reinterpret_cast<sockaddr_in6&>(storage);
        in.sin6_family = AF_INET6;
        in.sin6_port = htons(port_);
        in.sin6_scope_id = scopeId_;
        std::memcpy(&in.sin6_addr, bytes_.data(), sizeof in.sin6_addr);
        return sizeof in;
    }
    case Kind::Unix: {
        auto& un = reinterpret_cast<sockaddr_un&>(storage);
        un.sun_family = AF_UNIX;
        const std::string& name = path();
        std::memcpy(un.sun_path, name.data(), std::min(name.size(), sizeof un.sun_path));
        const bool isPath = !name.empty() && !isAbstract();
        return kPathOffset + name.size() + (isPath ? 1 : 0);
    }
    case Kind::None:
        break;
    }
    return 0;
}

bool Address::isLoopback() const noexcept {
    if (isIPv4())
        return bytes_[0] == 127;
    if (!isIPv6())
        return false;
    const Bytes& all = bytes_;
    if (std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), all.begin()))
        return all[12] == 127;
    return all.back() == 1 && std::all_of(all.begin(), all.end() - 1, [](std::uint8_t byte) { return byte == 0; });
}

bool Address::isWildcard() const noexcept {
    if (!isIPv4() && !isIPv6())
        return false;
    return std::all_of(bytes_.begin(), bytes_.end(), [](std::uint8_t byte) { return byte == 0; });
}

bool Address::isAbstract() const noexcept {
    return !path().empty() && path().front() == '\0';
}

std::string Address::host() const {
    if (!isIPv4() && !isIPv6())
        return {};
    char text[INET6_ADDRSTRLEN];
    std::string host = ::inet_ntop(isIPv4() ? AF_INET : AF_INET6, bytes_.data(), text, sizeof text);
    if (scopeId_ != 0)
        host += '%' + scopeName(scopeId_);
    return host;
}

const std::string& Address::path() const noexcept {
    static const std::string kEmpty;
    return path_ ? *path_ : kEmpty;
}

std::string Address::toString() const {
    switch (kind_) {
    case Kind::IPv4:
        return fmt::format("{}:{}", host(), port_);
    case Kind::IPv6:
        return fmt::format("[{}]:{}", host(), port_);
    case Kind::Unix:
        return isAbstract() ? fmt::format("unix:@{}", std::string_view(path()).substr(1))
                            : fmt::format("unix:{}", path());
    case Kind::None:
        break;
    }
    return "none";
}

std::strong_ordering operator<=>(const Address& left, const Address& right) noexcept {
    if (const auto order = left.kind_ <=> right.kind_; order != 0)
        return order;
    if (left.isUnix())
        return left.path().compare(right.path()) <=> 0;
    const int bytes = std::memcmp(left.bytes_.data(), right.bytes_.data(), left.bytes_.size());
    if (bytes != 0)
        return bytes <=> 0;
    if (const auto order = left.port_ <=> right.port_; order != 0)
        return order;
    return left.scopeId_ <=> right.scopeId_;
}

std::ostream& operator<<(std::ostream& stream, const Address& address) {
    return stream << address.toString();
}

std::size_t Address::hash() const noexcept {
    std::string_view value = path();
    if (!isUnix())
        value = {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()};
    // Port, scope and kind side by side in 64 bits, spread by the golden ratio's multiplier.
    const std::uint64_t rest =
        (std::uint64_t{scopeId_} << 24) ^ (std::uint64_t{port_} << 2) ^ static_cast<unsigned>(kind_);
    return std::hash<std::string_view>()(value) ^ static_cast<std::size_t>(rest * 0x9e3779b97f4a7c15U);
}

} // namespace torsion
