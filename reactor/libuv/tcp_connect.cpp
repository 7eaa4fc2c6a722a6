#include <reactor/libuv/tcp_connect.hpp>

#include <reactor/errors.hpp>
#include <reactor/libuv/socket.hpp>
#include <reactor/libuv/socket_channel.hpp>

#include <spdlog/fmt/fmt.h>

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace torsion::uv {

namespace {

/// 0 when the connection is made or under way.
int connectTo(int fd, const Address& address) noexcept {
    sockaddr_storage storage{};
    const std::size_t size = address.toSockaddr(storage);
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&storage), static_cast<socklen_t>(size)) == 0)
        return 0;
    // EINTR: it goes on in the background, as with EINPROGRESS.
    return errno == EINPROGRESS || errno == EINTR ? 0 : errno;
}

/// A client of a local port where nobody listens may be given that very port, and is then connected to itself (TCP's
/// simultaneous open, RFC 9293, 3.5). One who tries again and again gets there.
bool isConnectedToItself(int fd, const Address& peer) {
    return peer.isLoopback() && localAddress(fd) == peer;
}

} // namespace

TcpConnect::TcpConnect(LoopContext& context, const Address& address, const core::ConnectSpec& spec,
                       core::ConnectEvents& events)
    : context_(context), events_(events), address_(address) {
    try {
        begin(spec);
    } catch (const std::system_error& error) { // libuv cannot watch it
        failLater(getConnectError(error.code().value()));
    } catch (...) {
        failLater(Failure::current());
    }
}

void TcpConnect::begin(const core::ConnectSpec& spec) {
    socket_ = openStreamSocket(address_);
    if (!socket_)
        return failLater(getConnectError(errno));
    const int fd = socket_.get();
    if (spec.configureSocket) {
        try {
            (*spec.configureSocket)(fd);
        } catch (...) {
            return failLater(Failure::current());
        }
    }
    if (const OptionError refused = applyStreamOptions(fd, spec.stream))
        return failLater(Failure::of<ConnectError>(refused.describe()));
    if (!spec.local.isNone()) {
        // Merely for more ports: the port is then chosen when the destination is known, which wastes none of the 28,000
        // (Linux 4.2).
        if (spec.local.port() == 0)
            setOption(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
        if (const int error = bindTo(fd, spec.local); error != 0) {
            return failLater(Failure::of<ConnectBindError>(
                fmt::format("cannot bind {}: {}", spec.local.toString(), describeErrno(error)), error));
        }
    }
    if (const int error = connectTo(fd, address_); error != 0)
        return failLater(getConnectError(error));
    watch_.emplace(context_, fd, static_cast<Ready&>(*this));
    watch_->watch(UV_WRITABLE);
}

void TcpConnect::failLater(Failure failure) {
    failure_ = std::move(failure);
    context_.turn.close(*this);
}

void TcpConnect::onClosePhase() {
    fail(std::move(failure_));
}

// libuv says UV_EBADF for a socket in error; what the error is, the socket knows. The event comes last in each branch:
// it may destroy this object.
void TcpConnect::onReady(int, int) {
    watch_.reset();
    int error = takeError(socket_.get());
    if (error == 0 && isConnectedToItself(socket_.get(), address_))
        error = ECONNREFUSED;
    if (error != 0)
        return fail(getConnectError(error));
    core::ChannelPtr channel;
    try {
        channel = SocketChannel::make(context_, std::move(socket_));
    } catch (const std::system_error& thrown) {
        return fail(getConnectError(thrown.code().value()));
    }
    events_.onConnected(std::move(channel));
}

void TcpConnect::fail(Failure failure) {
    watch_.reset();
    socket_.reset();
    events_.onConnectFailed(failure);
}

} // namespace torsion::uv
