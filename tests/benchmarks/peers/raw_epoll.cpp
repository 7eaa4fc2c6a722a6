// The floor: an echo with nothing but system calls around it.

#include "peer.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <string>

namespace {

struct Connection {
    int fd;
    std::string unsent;
};

std::array<char, peer::kReadBuffer> input;
int poller = -1;

void watch(int operation, int fd, std::uint32_t wanted, Connection* connection) {
    epoll_event event{};
    event.events = wanted;
    event.data.ptr = connection;
    ::epoll_ctl(poller, operation, fd, &event);
}

void drop(Connection* connection) {
    ::close(connection->fd);
    delete connection;
}

void acceptFrom(int listener) {
    for (;;) {
        const int fd = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        watch(EPOLL_CTL_ADD, fd, EPOLLIN, new Connection{fd, {}});
    }
}

// While something is unsent nothing is read: the peer is slowed down to its own speed.
void flushUnsent(Connection* connection) {
    std::string& unsent = connection->unsent;
    const ssize_t sent = ::send(connection->fd, unsent.data(), unsent.size(), MSG_NOSIGNAL);
    if (sent < 0)
        return drop(connection);
    unsent.erase(0, static_cast<std::size_t>(sent));
    if (unsent.empty())
        watch(EPOLL_CTL_MOD, connection->fd, EPOLLIN, connection);
}

void echo(Connection* connection) {
    const ssize_t got = ::recv(connection->fd, input.data(), input.size(), 0);
    if (got <= 0)
        return drop(connection);
    ssize_t sent = ::send(connection->fd, input.data(), static_cast<std::size_t>(got), MSG_NOSIGNAL);
    if (sent == got)
        return;
    if (sent < 0)
        sent = 0;
    connection->unsent.assign(input.data() + sent, static_cast<std::size_t>(got - sent));
    watch(EPOLL_CTL_MOD, connection->fd, EPOLLOUT, connection);
}

int listenSomewhere() {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    // Accepted sockets inherit it.
    const int one = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    if (fd < 0 || ::bind(fd, reinterpret_cast<sockaddr*>(&address), length) != 0 || ::listen(fd, peer::kBacklog) != 0 ||
        ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
        std::perror("raw_epoll");
        std::exit(1);
    }
    peer::announce(ntohs(address.sin_port));
    return fd;
}

} // namespace

int main() {
    poller = ::epoll_create1(EPOLL_CLOEXEC);
    const int listener = listenSomewhere();
    watch(EPOLL_CTL_ADD, listener, EPOLLIN, nullptr);
    std::array<epoll_event, 512> events;
    for (;;) {
        const int count = ::epoll_wait(poller, events.data(), static_cast<int>(events.size()), -1);
        for (int i = 0; i < count; ++i) {
            const epoll_event& event = events[static_cast<std::size_t>(i)];
            auto* connection = static_cast<Connection*>(event.data.ptr);
            if (!connection)
                acceptFrom(listener);
            else if (event.events & EPOLLOUT)
                flushUnsent(connection);
            else
                echo(connection);
        }
    }
}
