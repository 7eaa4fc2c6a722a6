#include "conformance/descriptors.hpp"

#include "support/kernel_buffers.hpp"

#include <doctest/doctest.h>

#include <fcntl.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

namespace torsion::test {

namespace {

// More than what a test program has open, and few enough to fill up.
constexpr rlim_t kRoom = 32;

void setLimit(const rlimit& limit) {
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

} // namespace

NoDescriptors::NoDescriptors(How how) {
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before_) == 0);
    rlimit limit = before_;
    if (how == How::Forbidden) {
        limit.rlim_cur = 0;
        setLimit(limit);
        return;
    }
    const int next = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    REQUIRE(next >= 0);
    occupied_.push_back(next);
    limit.rlim_cur = static_cast<rlim_t>(next) + kRoom;
    setLimit(limit);
    for (rlim_t i = 0; i <= limit.rlim_cur; ++i) {
        const int fd = ::fcntl(next, F_DUPFD_CLOEXEC, 0);
        if (fd < 0)
            break;
        occupied_.push_back(fd);
    }
    REQUIRE(errno == EMFILE);
}

NoDescriptors::~NoDescriptors() {
    for (const int fd : occupied_)
        ::close(fd);
    ::setrlimit(RLIMIT_NOFILE, &before_);
}

RawClient::RawClient(const Address& server)
    : server_(server), fd_(::socket(server.isIPv6() ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    REQUIRE(fd_ >= 0);
    limitKernelBuffers(fd_);
}

RawClient::~RawClient() {
    close();
}

void RawClient::close() {
    if (fd_ >= 0)
        ::close(fd_);
    fd_ = -1;
}

void RawClient::connect() {
    sockaddr_storage storage{};
    const auto size = static_cast<socklen_t>(server_.toSockaddr(storage));
    REQUIRE(::connect(fd_, reinterpret_cast<const sockaddr*>(&storage), size) == 0);
}

bool RawClient::isClosed() const {
    char byte = 0;
    const ssize_t received = ::recv(fd_, &byte, 1, MSG_DONTWAIT);
    return received == 0 || (received < 0 && errno != EAGAIN);
}

std::string RawClient::read() {
    std::string result;
    char buffer[64 * 1024];
    ssize_t received = 0;
    while ((received = ::recv(fd_, buffer, sizeof buffer, MSG_DONTWAIT)) > 0)
        result.append(buffer, static_cast<std::size_t>(received));
    end_ = received < 0 ? errno : 0;
    return result;
}

std::string linkLocalAddress() {
    ifaddrs* list = nullptr;
    if (::getifaddrs(&list) != 0)
        return {};
    const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owner(list, &::freeifaddrs);
    for (const ifaddrs* each = list; each; each = each->ifa_next) {
        if (!each->ifa_addr || each->ifa_addr->sa_family != AF_INET6)
            continue;
        const Address address = Address::fromSockaddr(each->ifa_addr, sizeof(sockaddr_in6));
        if (address.scopeId() != 0)
            return address.host();
    }
    return {};
}

} // namespace torsion::test
