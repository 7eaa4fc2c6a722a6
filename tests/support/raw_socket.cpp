#include "support/raw_socket.hpp"

#include "support/kernel_buffers.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>
#include <vector>

namespace torsion::test {

namespace {

sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

void require(bool worked, const char* what) {
    if (!worked)
        throw std::system_error(errno, std::generic_category(), what);
}

// Past libc, whose functions the test program counts.
ssize_t sendUncounted(int fd, const void* data, std::size_t size) {
    return ::syscall(SYS_sendto, fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT, nullptr, 0);
}

ssize_t receiveUncounted(int fd, void* data, std::size_t size) {
    return ::syscall(SYS_recvfrom, fd, data, size, MSG_DONTWAIT, nullptr, nullptr);
}

} // namespace

RawSocket::RawSocket(RawSocket&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), ended_(other.ended_), error_(other.error_) {}

RawSocket& RawSocket::operator=(RawSocket&& other) noexcept {
    if (this == &other)
        return *this;
    close();
    fd_ = std::exchange(other.fd_, -1);
    ended_ = other.ended_;
    error_ = other.error_;
    return *this;
}

// The limit is for what waits (connect and accept) when a test goes wrong.
RawSocket RawSocket::unconnected() {
    RawSocket result(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    require(result.isOpen(), "socket");
    constexpr timeval kPatience{.tv_sec = 30, .tv_usec = 0};
    require(::setsockopt(result.fd_, SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience) == 0, "SO_RCVTIMEO");
    require(::setsockopt(result.fd_, SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof kPatience) == 0, "SO_SNDTIMEO");
    return result;
}

RawSocket RawSocket::connectTo(std::uint16_t port) {
    RawSocket result = unconnected();
    result.connect(port);
    return result;
}

RawSocket RawSocket::bound() {
    RawSocket result = unconnected();
    const sockaddr_in address = loopback(0);
    require(::bind(result.fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0, "bind");
    return result;
}

RawSocket RawSocket::boundIPv6() {
    RawSocket result(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
    require(result.isOpen(), "socket");
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_addr = in6addr_loopback;
    require(::bind(result.fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0, "bind");
    return result;
}

RawSocket RawSocket::listen(int backlog) {
    RawSocket result = bound();
    require(::listen(result.fd_, backlog) == 0, "listen");
    return result;
}

void RawSocket::connect(std::uint16_t port) {
    const sockaddr_in address = loopback(port);
    if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
        return;
    require(errno != EINPROGRESS, "connect: no answer for 30 s");
    require(false, "connect");
}

bool RawSocket::tryConnect(std::uint16_t port) {
    const sockaddr_in address = loopback(port);
    const timeval moment{.tv_sec = 0, .tv_usec = 1000}; // connect() returns EINPROGRESS after it (socket(7))
    ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &moment, sizeof moment);
    return ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

RawSocket RawSocket::accept() {
    RawSocket result(::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC));
    require(result.isOpen() || errno != EAGAIN, "accept: nobody came for 30 s");
    return result;
}

std::uint16_t RawSocket::port() const {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    require(::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size) == 0, "getsockname");
    const bool isIPv6 = address.ss_family == AF_INET6;
    return ntohs(isIPv6 ? reinterpret_cast<const sockaddr_in6&>(address).sin6_port
                        : reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

std::size_t RawSocket::send(std::string_view data) {
    std::size_t sent = 0;
    while (sent < data.size()) {
        const ssize_t count = sendUncounted(fd_, data.data() + sent, data.size() - sent);
        if (count < 0)
            break;
        sent += static_cast<std::size_t>(count);
    }
    return sent;
}

std::string RawSocket::receive() {
    static std::vector<char> buffer(256 * 1024);
    std::string result;
    while (!finished()) {
        const ssize_t count = receiveUncounted(fd_, buffer.data(), buffer.size());
        if (count > 0) {
            result.append(buffer.data(), static_cast<std::size_t>(count));
            if (static_cast<std::size_t>(count) < buffer.size())
                break; // all that is there, for the price of one call
        } else if (count == 0) {
            ended_ = true;
        } else if (errno == EAGAIN) {
            break;
        } else {
            error_ = errno;
        }
    }
    return result;
}

void RawSocket::shutdownWrite() {
    ::shutdown(fd_, SHUT_WR);
}

void RawSocket::close() noexcept {
    if (fd_ >= 0)
        ::close(std::exchange(fd_, -1));
}

void RawSocket::reset() {
    const linger hard{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close();
}

void RawSocket::setBuffers(int bytes) {
    setKernelBuffers(fd_, bytes);
}

} // namespace torsion::test
