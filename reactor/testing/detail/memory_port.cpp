#include <reactor/testing/detail/memory_port.hpp>

#include <reactor/errors.hpp>
#include <reactor/failure.hpp>
#include <reactor/testing/detail/memory_channel.hpp>

#include <spdlog/fmt/fmt.h>

#include <cerrno>
#include <utility>

namespace torsion::testing::detail {

namespace {

constexpr int kNoDescriptor = -1;

// 0.0.0.0 and :: as targets mean this machine.
Address resolveWildcard(const Address& address) {
    if (!address.isWildcard())
        return address;
    return Address::parse(address.isIPv6() ? "::1" : "127.0.0.1", address.port());
}

// Where a connection to `target` comes from, if nothing is asked for.
Address sourceFor(const Address& target) {
    if (!target.isLoopback())
        return withPort(target, 0); // a host of ours talks to itself
    return Address::parse(target.isIPv6() ? "::1" : "127.0.0.1", 0);
}

// As a listener sees it that takes both families.
Address mapped(const Address& address) {
    return Address::ipv6("::ffff:" + address.host(), address.port());
}

} // namespace

MemoryAcceptor::MemoryAcceptor(std::shared_ptr<MemoryHost> home, const core::ListenSpec& spec,
                               core::AcceptEvents& events)
    : MemoryReady(std::move(home)), events_(events), listener_(std::make_shared<Listener>()),
      budget_(spec.acceptBudget) {
    const Address& wanted = spec.address;
    MemoryNetwork& network = *home_->network;
    if (spec.configureSocket)
        (*spec.configureSocket)(kNoDescriptor);
    int error = home_->faults.next(Operation::Listen);
    if (error == 0 && network.route(wanted.host()) != MemoryNetwork::Route::Up)
        error = EADDRNOTAVAIL;
    if (error == 0) {
        listener_->host = wanted;
        listener_->reusePort = spec.reusePort;
        listener_->dualStack = spec.dualStack;
        listener_->backlog = static_cast<std::size_t>(spec.backlog);
        listener_->stream = spec.stream;
        listener_->acceptor = this;
        listener_->home = home_;
        error = network.ports()->open(listener_);
    }
    if (error != 0)
        throw CannotListenError(wanted.host(), wanted.port(), error);
}

// What was not accepted is reset; attempts that wait for room are decided anew, and refused.
MemoryAcceptor::~MemoryAcceptor() {
    home_->network->ports()->close(*listener_);
    listener_->acceptor = nullptr;
    for (const auto& each : std::exchange(listener_->pending, {}))
        each.channel->close(core::CloseMode::Reset);
    while (!listener_->waiting.empty())
        listener_->waiting.popFront().markReady();
}

void MemoryAcceptor::startAccepting() {
    accepting_ = true;
    if (!listener_->pending.empty())
        markReady();
}

// The port, and so this object, may be closed by a factory or a protocol: `listener` says whether it was.
void MemoryAcceptor::onReady() {
    const std::shared_ptr<MemoryHost> home = home_;
    const std::shared_ptr<Listener> listener = listener_;
    core::AcceptEvents& events = events_;
    for (int i = budget_; i > 0 && listener->acceptor && accepting_ && !listener->pending.empty(); --i) {
        const int error = home->faults.next(Operation::Accept);
        if (error == EAGAIN || error == ENOBUFS || error == ENOMEM)
            break; // later
        const Listener::Pending next = listener->pending.front();
        listener->pending.pop_front();
        if (!listener->waiting.empty())
            listener->waiting.popFront().markReady();
        if (error == 0) {
            events.onAccepted(core::ChannelPtr(next.channel), next.peer);
            continue;
        }
        next.channel->close(error == ECONNABORTED ? core::CloseMode::Reset : core::CloseMode::Orderly);
        if (error == EMFILE || error == ENFILE)
            events.onTurnedAway();
    }
    if (listener->acceptor && accepting_ && !listener->pending.empty())
        markReady();
}

MemoryConnecting::MemoryConnecting(std::shared_ptr<MemoryHost> home, const Address& address,
                                   const core::ConnectSpec& spec, core::ConnectEvents& events)
    : MemoryReady(std::move(home)), events_(events), target_(resolveWildcard(address)), local_(spec.local),
      stream_(spec.stream) {
    try {
        if (spec.configureSocket)
            (*spec.configureSocket)(kNoDescriptor);
        if (const int error = bindLocal(); error != 0) {
            failure_ = Failure::of<ConnectBindError>(
                fmt::format("cannot bind {}: {}", local_.toString(), describeErrno(error)), error);
        } else if (const int fault = home_->faults.next(Operation::Connect); fault != 0) {
            failure_ = getConnectError(fault);
        }
    } catch (...) {
        failure_ = Failure::current();
    }
    markReady();
}

MemoryConnecting::~MemoryConnecting() {
    if (bound_)
        home_->network->ports()->release(local_);
}

// An event is the last word here: this object may be gone after it.
void MemoryConnecting::onReady() {
    MemoryNetwork& network = *home_->network;
    if (failure_)
        return events_.onConnectFailed(Failure(failure_));
    const MemoryNetwork::Route route = network.route(target_.host());
    if (route == MemoryNetwork::Route::Silent)
        return;
    if (route == MemoryNetwork::Route::Unreachable)
        return events_.onConnectFailed(getConnectError(ENETUNREACH));
    const std::shared_ptr<Listener> listener = network.ports()->find(target_);
    if (!listener)
        return events_.onConnectFailed(getConnectError(ECONNREFUSED));
    if (listener->isFull())
        return listener->waiting.pushBack(*this);
    reach(listener);
}

int MemoryConnecting::bindLocal() {
    if (local_.isNone())
        local_ = sourceFor(target_);
    if (local_.isWildcard())
        local_ = withPort(sourceFor(target_), local_.port());
    if (local_.kind() != target_.kind())
        return EAFNOSUPPORT;
    const MemoryNetwork::Route route = home_->network->route(local_.host());
    if (route == MemoryNetwork::Route::Unreachable && local_.host() != target_.host())
        return EADDRNOTAVAIL;
    const int error = home_->network->ports()->lease(local_);
    bound_ = error == 0;
    return error;
}

void MemoryConnecting::reach(const std::shared_ptr<Listener>& listener) {
    const bool viaBoth = listener->host.kind() != target_.kind();
    auto link = std::make_shared<MemoryLink>();
    auto* client = new MemoryChannel(home_, link, 0, local_, stream_);
    core::ChannelPtr mine(client);
    client->leasedFrom(home_->network->ports());
    bound_ = false; // the channel's now
    auto* server = new MemoryChannel(listener->home, link, 1, viaBoth ? mapped(target_) : target_, listener->stream);
    listener->pending.push_back({server, viaBoth ? mapped(local_) : local_});
    listener->acceptor->markReady();
    events_.onConnected(std::move(mine));
}

} // namespace torsion::testing::detail
