#include <reactor/libuv/tcp_port.hpp>

#include <reactor/errors.hpp>
#include <reactor/libuv/embedded_loop.hpp>
#include <reactor/libuv/socket.hpp>
#include <reactor/libuv/socket_channel.hpp>
#include <reactor/log.hpp>

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <system_error>
#include <utility>

namespace torsion::uv {

namespace {

[[noreturn]] void cannotListen(const Address& address, int error, std::string_view option = {}) {
    throw CannotListenError(address.host(), address.port(), error, option);
}

Descriptor openListener(const core::ListenSpec& spec) {
    const Address& address = spec.address;
    Descriptor socket = openStreamSocket(address);
    if (!socket)
        cannotListen(address, errno);
    const int fd = socket.get();
    setOption(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    int error = spec.reusePort ? setOption(fd, SOL_SOCKET, SO_REUSEPORT, 1) : 0;
    if (error != 0)
        cannotListen(address, error, "SO_REUSEPORT");
    if (address.isIPv6())
        error = setOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, spec.dualStack ? 0 : 1);
    if (error != 0)
        cannotListen(address, error, "IPV6_V6ONLY");
    if (spec.configureSocket)
        (*spec.configureSocket)(fd);
    if (const OptionError refused = applyStreamOptions(fd, spec.stream)) // for the connections
        cannotListen(address, refused.error, refused.name);
    if (error = bindTo(fd, address); error != 0)
        cannotListen(address, error);
    if (::listen(fd, spec.backlog) != 0)
        cannotListen(address, errno);
    return socket;
}

} // namespace

TcpPort::TcpPort(LoopContext& context, const core::ListenSpec& spec, core::AcceptEvents& events)
    : context_(context), events_(events), budget_(spec.acceptBudget), socket_(openListener(spec)),
      host_(localAddress(socket_.get())) {
    try {
        watch_.emplace(context_, socket_.get(), static_cast<Ready&>(*this));
    } catch (const std::system_error& error) {
        cannotListen(spec.address, error.code().value());
    }
    reserve();
}

TcpPort::~TcpPort() {
    if (gone_)
        *gone_ = true;
}

void TcpPort::reserve() noexcept {
    reserve_.reset(::open("/dev/null", O_RDONLY | O_CLOEXEC));
}

void TcpPort::startAccepting() {
    accepting_ = true;
    if (!resting_.active())
        watch_->watch(UV_READABLE);
}

void TcpPort::stopAccepting() {
    accepting_ = false;
    watch_->watch(0);
}

// A factory or protocol may stop the port, which destroys this object.
void TcpPort::onReady(int status, int) {
    if (status < 0) {
        watch_->stopped();
        return rest();
    }
    if (!accepting_ || resting_.active())
        return; // the event was reported before that
    bool gone = false;
    bool* const outer = std::exchange(gone_, &gone); // of a host's loop inside this one's callbacks
    int accepted = 0;
    while (accepted < batch_) {
        const bool more = acceptOne();
        if (gone) {
            if (outer)
                *outer = true;
            return;
        }
        if (!more || !accepting_)
            break;
        ++accepted;
        if (context_.embedded && !context_.embedded->goesOnAfterCall())
            break;
    }
    gone_ = outer;
    batch_ = std::clamp(accepted == batch_ ? batch_ * 2 : accepted, 1, budget_);
}

// False: nothing more to accept in this event.
bool TcpPort::acceptOne() {
    sockaddr_storage storage; // filled in by accept4
    socklen_t size = sizeof storage;
    Descriptor socket(
        ::accept4(socket_.get(), reinterpret_cast<sockaddr*>(&storage), &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!socket)
        return acceptFailed(errno);
    core::ChannelPtr channel;
    try {
        channel = SocketChannel::make(context_, std::move(socket), host_);
    } catch (const std::exception& error) { // a shortage: no memory, or no more sockets may be watched
        if (!std::exchange(complained_, true))
            log::error("cannot take a connection on {}: {}", host_.toString(), error.what());
        events_.onTurnedAway();
        rest();
        return false;
    }
    complained_ = false;
    events_.onAccepted(std::move(channel), Address::fromSockaddr(reinterpret_cast<const sockaddr*>(&storage), size));
    return true;
}

bool TcpPort::acceptFailed(int error) {
    switch (error) {
    case EINTR:
    case ECONNABORTED: // reset before we came to it
    case EPERM:        // refused by a firewall rule
    case EPROTO:
        return true;
    case EAGAIN:
        return false;
    case EMFILE:
    case ENFILE:
        turnAway();
        return false;
    default: // ENOBUFS, ENOMEM and whatever else: later
        if (!std::exchange(complained_, true)) {
            log::error("accepting on {} rests: {}", host_.toString(), describeErrno(error));
        }
        rest();
        return false;
    }
}

// No descriptor is left: gives the reserve up for one accept at a time, as long as peers wait.
void TcpPort::turnAway() {
    if (!std::exchange(complained_, true)) {
        log::error("no descriptors are left: connections to {} are turned away", host_.toString());
    }
    for (int i = 0; i < budget_; ++i) {
        reserve_.reset();
        const Descriptor refused(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        if (!refused)
            break;
        events_.onTurnedAway();
    }
    reserve();
    rest();
}

void TcpPort::rest() {
    watch_->watch(0);
    resting_ = context_.turn.callLater(kRest, [this] {
        if (!reserve_)
            reserve();
        if (accepting_)
            watch_->watch(UV_READABLE);
    });
}

} // namespace torsion::uv
