#include <reactor/libuv/socket.hpp>

#include <reactor/failure.hpp>

#include <spdlog/fmt/fmt.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace torsion::uv {

void Descriptor::closeDescriptor(int fd) noexcept {
    ::close(fd);
}

Descriptor openStreamSocket(const Address& address) {
    const int family = address.isIPv6() ? AF_INET6 : AF_INET;
    return Descriptor(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
}

int setOption(int fd, int level, int option, int value) noexcept {
    return ::setsockopt(fd, level, option, &value, sizeof value) == 0 ? 0 : errno;
}

int getOption(int fd, int level, int option) noexcept {
    int value = 0;
    socklen_t size = sizeof value;
    return ::getsockopt(fd, level, option, &value, &size) == 0 ? value : -1;
}

int bindTo(int fd, const Address& address) noexcept {
    sockaddr_storage storage{};
    const std::size_t size = address.toSockaddr(storage);
    return ::bind(fd, reinterpret_cast<const sockaddr*>(&storage), static_cast<socklen_t>(size)) == 0 ? 0 : errno;
}

Address localAddress(int fd) {
    sockaddr_storage storage{};
    socklen_t size = sizeof storage;
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0)
        return Address::none();
    return Address::fromSockaddr(reinterpret_cast<const sockaddr*>(&storage), size);
}

int takeError(int fd) noexcept {
    const int error = getOption(fd, SOL_SOCKET, SO_ERROR);
    return error < 0 ? errno : error;
}

std::string OptionError::describe() const {
    return fmt::format("cannot set {}: {}", name, describeErrno(error));
}

namespace {

OptionError setNamed(int fd, int level, int option, int value, const char* name) noexcept {
    const int error = setOption(fd, level, option, value);
    return error == 0 ? OptionError{} : OptionError{name, error};
}

} // namespace

OptionError setNoDelay(int fd, bool enabled) noexcept {
    return setNamed(fd, IPPROTO_TCP, TCP_NODELAY, enabled ? 1 : 0, "TCP_NODELAY");
}

OptionError setKeepAlive(int fd, const std::optional<KeepAlive>& times) noexcept {
    OptionError refused = setNamed(fd, SOL_SOCKET, SO_KEEPALIVE, times ? 1 : 0, "SO_KEEPALIVE");
    if (refused || !times)
        return refused;
    if (refused = setNamed(fd, IPPROTO_TCP, TCP_KEEPIDLE, static_cast<int>(times->idle.count()), "TCP_KEEPIDLE");
        refused)
        return refused;
    if (refused = setNamed(fd, IPPROTO_TCP, TCP_KEEPINTVL, static_cast<int>(times->interval.count()), "TCP_KEEPINTVL");
        refused)
        return refused;
    return setNamed(fd, IPPROTO_TCP, TCP_KEEPCNT, times->count, "TCP_KEEPCNT");
}

OptionError setUserTimeout(int fd, std::chrono::milliseconds timeout) noexcept {
    return setNamed(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<int>(timeout.count()), "TCP_USER_TIMEOUT");
}

OptionError applyStreamOptions(int fd, const StreamOptions& options) noexcept {
    OptionError refused;
    if (options.noDelay)
        refused = setNoDelay(fd, true);
    if (!refused && options.keepAlive)
        refused = setKeepAlive(fd, options.keepAlive);
    if (!refused && options.userTimeout.count() > 0)
        refused = setUserTimeout(fd, options.userTimeout);
    return refused;
}

} // namespace torsion::uv
