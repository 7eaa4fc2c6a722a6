#include <reactor/libuv/socket_channel.hpp>

#include <reactor/core/stream_options.hpp>
#include <reactor/libuv/socket.hpp>

#include <spdlog/fmt/fmt.h>

#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

namespace torsion::uv {

namespace {

bool wouldBlock(int error) {
    return error == EAGAIN || error == EWOULDBLOCK;
}

ssize_t sendOne(int fd, std::string_view buffer) {
    return ::send(fd, buffer.data(), buffer.size(), MSG_NOSIGNAL);
}

ssize_t sendMany(int fd, std::span<const std::string_view> buffers) {
    std::array<iovec, core::WriteQueue::kMaxBuffers> vectors;
    const std::size_t count = std::min(buffers.size(), vectors.size());
    for (std::size_t i = 0; i < count; ++i) {
        vectors[i] = {const_cast<char*>(buffers[i].data()), buffers[i].size()};
    }
    msghdr message{};
    message.msg_iov = vectors.data();
    message.msg_iovlen = count;
    return ::sendmsg(fd, &message, MSG_NOSIGNAL);
}

void require(const OptionError& refused) {
    if (refused)
        throw std::system_error(refused.error, std::generic_category(), fmt::format("cannot set {}", refused.name));
}

} // namespace

SocketChannel::SocketChannel(LoopContext& context, Descriptor&& socket, const Address& host)
    : context_(context), socket_(std::move(socket)), host_(host), watch_(context, socket_.get(), *this) {}

core::ChannelPtr SocketChannel::make(LoopContext& context, Descriptor&& socket, const Address& host) {
    return core::ChannelPtr(new SocketChannel(context, std::move(socket), host));
}

core::ReceiveResult SocketChannel::receive() {
    using Kind = core::ReceiveResult::Kind;
    for (;;) {
        const ssize_t count = ::recv(socket_.get(), context_.readBuffer.get(), LoopContext::kReadSize, 0);
        if (count > 0) [[likely]] {
            return {.kind = Kind::Data, .data = {context_.readBuffer.get(), static_cast<std::size_t>(count)}};
        }
        if (count == 0)
            return {.kind = Kind::End};
        if (errno == EINTR)
            continue;
        if (wouldBlock(errno))
            return {.kind = Kind::Nothing};
        return {.kind = Kind::Error, .error = errno};
    }
}

core::SendResult SocketChannel::trySend(std::span<const std::string_view> buffers) {
    for (;;) {
        const ssize_t count =
            buffers.size() == 1 ? sendOne(socket_.get(), buffers.front()) : sendMany(socket_.get(), buffers);
        if (count >= 0) [[likely]]
            return {.sent = static_cast<std::size_t>(count)};
        if (errno == EINTR)
            continue;
        if (wouldBlock(errno))
            return {};
        return {.error = errno};
    }
}

// Whatever needs to be watched for in addition is asked for at once; reading that this event turns off stays watched
// for until the next one: a pause is often short, and an end is often followed by the close.
void SocketChannel::onReady(int status, int events) {
    if (status == 0 && events == UV_READABLE && reading_) [[likely]]
        return events_->onReadable();
    onRareEvent(status, events);
}

void SocketChannel::onReadyNested(int status, int events) {
    events_->onNestedEvent();
    onReady(status, events);
}

void SocketChannel::onRareEvent(int status, int events) {
    if (status < 0) { // the socket is in error: libuv has stopped watching
        watch_.stopped();
        if (!reading_)
            return checkBroken();
        events_->onReadable();
    } else {
        if ((events & UV_WRITABLE) != 0 && std::exchange(writing_, false))
            events_->onWritable();
        if ((events & UV_READABLE) != 0 && reading_) {
            events_->onReadable();
        } else if ((events & UV_PRIORITIZED) != 0) {
            return checkBroken();
        }
    }
    updateWatch();
}

// Reading is off. The connection is in error, or ended in both directions (what was received waits for reading then),
// or the peer sent an urgent byte, which is for nobody.
void SocketChannel::checkBroken() {
    pollfd state{.fd = socket_.get(), .events = 0, .revents = 0};
    if (::poll(&state, 1, 0) == 1 && (state.revents & (POLLHUP | POLLERR)) != 0) {
        hungUp_ = true;
        if (const int error = takeError(socket_.get()); error != 0)
            events_->onBroken(error);
    } else {
        char urgent;
        static_cast<void>(::recv(socket_.get(), &urgent, sizeof urgent, MSG_OOB));
    }
    updateWatch();
}

// Called after every event, so the common case is one comparison. Watching for "priority" brings errors and hang-ups.
void SocketChannel::updateWatch() {
    int wanted = (reading_ ? UV_READABLE : 0) | (writing_ ? UV_WRITABLE : 0);
    if (wanted == 0 && !hungUp_)
        wanted = UV_PRIORITIZED;
    watch_.watch(wanted);
}

void SocketChannel::armWritable() {
    writing_ = true;
    updateWatch();
}

void SocketChannel::startRead() {
    reading_ = true;
    hungUp_ = false;
    updateWatch();
}

void SocketChannel::shutdownWrite() {
    ::shutdown(socket_.get(), SHUT_WR);
}

std::size_t SocketChannel::unacknowledged() const {
    int bytes = 0;
    return ::ioctl(socket_.get(), SIOCOUTQ, &bytes) == 0 ? static_cast<std::size_t>(bytes) : 0;
}

void SocketChannel::end(core::CloseMode mode) {
    if (mode == core::CloseMode::Reset) {
        const linger reset{.l_onoff = 1, .l_linger = 0};
        ::setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    }
    if (host_.isNone())
        host(); // it can be asked for afterwards
    watch_.close();
    socket_.reset();
}

// Asked of the system when somebody wants to know, and only where the port's address does not tell.
Address SocketChannel::host() const {
    if (socket_ && (host_.isNone() || host_.isWildcard()))
        host_ = localAddress(socket_.get());
    return host_;
}

void* SocketChannel::query(const void* kind) noexcept {
    return kind == &TcpTransport::kKind ? static_cast<TcpTransport*>(this) : nullptr;
}

void SocketChannel::setTcpNoDelay(bool enabled) {
    if (socket_)
        require(setNoDelay(socket_.get(), enabled));
}

bool SocketChannel::getTcpNoDelay() const {
    return getOption(socket_.get(), IPPROTO_TCP, TCP_NODELAY) > 0;
}

void SocketChannel::setTcpKeepAlive(std::optional<KeepAlive> times) {
    if (times)
        core::checkKeepAlive(*times);
    if (socket_)
        require(setKeepAlive(socket_.get(), times));
}

bool SocketChannel::getTcpKeepAlive() const {
    return getOption(socket_.get(), SOL_SOCKET, SO_KEEPALIVE) > 0;
}

void SocketChannel::setTcpUserTimeout(std::chrono::milliseconds timeout) {
    core::checkUserTimeout(timeout);
    if (socket_)
        require(setUserTimeout(socket_.get(), timeout));
}

} // namespace torsion::uv
