#include <reactor/core/connector_core.hpp>

#include <reactor/errors.hpp>
#include <reactor/factory.hpp>
#include <reactor/log.hpp>

#include <spdlog/fmt/fmt.h>

#include <stdexcept>
#include <utility>

namespace torsion::core {

namespace {

const char* nameOf(Connector::State state) {
    static constexpr const char* kNames[] = {"disconnected", "connecting", "connected"};
    return kNames[static_cast<int>(state)];
}

} // namespace

ConnectorCore::ConnectorCore(ReactorCore& reactor, Destination destination, std::shared_ptr<ClientFactory> factory,
                             const ConnectOptions& options)
    : reactor_(reactor), turn_(reactor.turn()), reactorGone_(reactor.gone()), destination_(std::move(destination)),
      factory_(std::move(factory)), configureSocket_(options.configureSocket.toFunction()), bindPort_(options.bindPort),
      timeoutAfter_(options.timeout), attemptDelay_(options.attemptDelay), id_(turn_.nextId()) {
    if (timeoutAfter_ && timeoutAfter_->count() < 0)
        throw std::invalid_argument("connectTCP: timeout is negative");
    if (attemptDelay_.count() < 0)
        throw std::invalid_argument("connectTCP: attemptDelay is negative");
    if (!options.bindHost.empty())
        bindAddress_ = Address::parse(options.bindHost, options.bindPort);
    spec_ = {.local = Address::none(),
             .stream = options.stream,
             .configureSocket = configureSocket_ ? &configureSocket_ : nullptr};
}

ConnectorCore::~ConnectorCore() = default;

/// While it lives, somebody's code may be on the stack, and the end is not told.
class ConnectorCore::Calling {
public:
    explicit Calling(ConnectorCore& connector) noexcept : connector_(connector), call_(connector.turn_) {
        ++connector_.calls_;
    }
    Calling(const Calling&) = delete;
    Calling& operator=(const Calling&) = delete;
    ~Calling() {
        if (--connector_.calls_ == 0 && connector_.reason_)
            connector_.turn_.close(connector_);
    }

private:
    ConnectorCore& connector_;
    TurnCore::OutsideCall call_;
};

Reactor& ConnectorCore::reactor() const noexcept {
    return reactor_;
}

Transport& ConnectorCore::transport() const noexcept {
    if (!stream_)
        return Transport::null();
    return *stream_;
}

// The order is S-95's: the factory, the timer, startedConnecting; then the first attempt, unless it was given up there.
void ConnectorCore::connect() {
    checkReactor();
    if (state_ != State::Disconnected) {
        throw std::logic_error(fmt::format("connect: the connector of {} is {}, not disconnected",
                                           destination_.toString(), nameOf(state_)));
    }
    const std::shared_ptr<ConnectorCore> self = shared_from_this(); // until the reactor keeps us
    const Calling calling(*this);
    state_ = State::Connecting;
    startFactory();
    began_ = turn_.freshNow();
    pending_.emplace(reactor_);
    reactor_.keep(id_, shared_from_this());
    turn_.addLive(*this);
    if (timeoutAfter_)
        timeout_ = turn_.callLater(*timeoutAfter_, [this] { timedOut(); });
    guard("startedConnecting", [this] { factory_->startedConnecting(shared_from_this()); });
    if (!reason_)
        beginLookup();
}

void ConnectorCore::checkReactor() const {
    if (*reactorGone_) {
        throw ReactorNotRunning(
            fmt::format("connect: the reactor of the connector of {} is gone", destination_.toString()));
    }
    reactor_.checkThread();
}

void ConnectorCore::startFactory() {
    if (factoryStarted_)
        return;
    try {
        factory_->doStart();
    } catch (...) {
        state_ = State::Disconnected;
        reason_ = {}; // of a host's loop in there: the exception tells
        ListHook<ClosingTag>::unlink();
        throw;
    }
    factoryStarted_ = true;
}

// A resolver of the user's may open a dialog, in which the answer comes, or the attempt is given up.
void ConnectorCore::beginLookup() {
    const Calling calling(*this);
    if (auto address = Address::tryParse(destination_.host, destination_.port)) {
        race({std::move(*address)});
        return;
    }
    try {
        lookup_ = reactor_.resolver().resolve(destination_.host, destination_.port, AddressFamily::Any,
                                              [this](std::vector<Address> addresses, const Failure& failure) {
                                                  if (reason_)
                                                      return;
                                                  if (failure)
                                                      return giveUp(failure);
                                                  race(interleaveFamilies(addresses));
                                              });
    } catch (...) {
        giveUp(Failure::current()); // a resolver of the user's
    }
}

// A local address can only reach addresses of its own family.
void ConnectorCore::race(std::vector<Address> addresses) {
    const bool any = !addresses.empty();
    if (!bindAddress_.isNone()) {
        std::erase_if(addresses, [this](const Address& each) { return each.kind() != bindAddress_.kind(); });
    }
    if (addresses.empty()) {
        const std::string destination = destination_.toString();
        giveUp(any ? Failure::of<ConnectBindError>(fmt::format("connecting to {}: no address of the family of {}",
                                                               destination, bindAddress_.host()))
                   : Failure::of<DNSLookupError>(fmt::format("connecting to {}: no address", destination)));
        return;
    }
    HappyEyeballsHost& host = *this;
    race_ = std::make_unique<HappyEyeballs>(host, std::move(addresses), attemptDelay_, destination_.toString());
    race_->start();
}

std::unique_ptr<Connecting> ConnectorCore::beginAttempt(const Address& address, ConnectEvents& events) {
    const Calling calling(*this); // configureSocket
    spec_.local = bindAddress_;
    if (bindAddress_.isNone() && bindPort_ != 0)
        spec_.local = Address::parse(address.isIPv6() ? "::" : "0.0.0.0", bindPort_);
    return reactor_.beginConnecting(address, spec_, events);
}

DelayedCall ConnectorCore::callAfter(Duration delay, Function<void()> f) {
    return turn_.callLater(delay, std::move(f));
}

void ConnectorCore::stopConnecting() {
    if (!*reactorGone_)
        reactor_.checkThread();
    if (state_ != State::Connecting) {
        throw NotConnectingError(fmt::format("stopConnecting: the connector of {} is {}, not connecting",
                                             destination_.toString(), nameOf(state_)));
    }
    giveUp(Failure::of<UserError>());
}

void ConnectorCore::disconnect() {
    if (!*reactorGone_)
        reactor_.checkThread();
    if (state_ == State::Connecting)
        return stopConnecting();
    if (stream_)
        stream_->loseConnection();
}

void ConnectorCore::timedOut() {
    giveUp(Failure::of<TimeoutError>(
        fmt::format("connecting to {}: no connection after {} ms", destination_.toString(), timeoutAfter_->count())));
}

void ConnectorCore::onShutdown() {
    giveUp(Failure::of<CancelledError>());
}

// The first reason counts; it is told in the close phase, which also drops what is pending. The race may be on the
// stack, in a `configureSocket` that gives up, and in a dialog there close phases run: that is a call that is counted.
void ConnectorCore::giveUp(Failure reason) {
    if (reason_)
        return;
    reason_ = std::move(reason);
    timeout_ = {};
    turn_.close(*this);
}

// A look-up of the user's may run a host's loop as it is dropped: nothing of this attempt is left for that to see.
void ConnectorCore::endAttempt() noexcept {
    timeout_ = {};
    pending_.reset();
    const auto lookup = std::move(lookup_);
    const auto race = std::move(race_); // ends first
}

// Still connecting while the protocol is built: the factory may give up there.
void ConnectorCore::onRaceWon(ChannelPtr channel, const Address& address) {
    if (reason_)
        return;
    const Calling calling(*this);
    endAttempt();
    if (reason_)
        return;
    std::shared_ptr<Protocol> protocol = buildProtocol(address);
    if (reason_)
        return;
    state_ = State::Connected;
    if (!protocol)
        return giveUp(Failure::of<ConnectionDone>()); // refused (S-106)
    ListHook<LiveTag>::unlink();
    stream_ = new StreamCore(turn_, reactor_, *this, std::move(channel), spec_.stream, address, factory_,
                             std::move(protocol));
    stream_->start();
    if (stream_ && stream_->isConnected())
        stream_->guarded([this] { factory_->clientConnectionMade(shared_from_this()); });
}

// What it throws fails the attempt (S-65).
std::shared_ptr<Protocol> ConnectorCore::buildProtocol(const Address& address) {
    std::shared_ptr<Protocol> protocol;
    Failure thrown;
    guard("buildProtocol", [&] {
        try {
            protocol = factory_->buildProtocol(address);
        } catch (...) {
            thrown = Failure::current();
            throw;
        }
    });
    if (thrown) {
        giveUp(Failure::of<ConnectError>(fmt::format("connecting to {}: buildProtocol failed: {}",
                                                     destination_.toString(), thrown.getErrorMessage()))
                   .withCause(thrown));
    }
    return protocol;
}

void ConnectorCore::onStreamLost(StreamCore&, const Failure& reason) {
    stream_ = nullptr;
    tellEnd(reason);
}

void ConnectorCore::onClosePhase() {
    if (calls_ != 0)
        return; // a host's loop runs inside one of our callbacks: told when that has returned
    tellEnd(std::exchange(reason_, {}));
}

// The end of an attempt or of a connection; the factory stops with it unless it connects again (S-100).
void ConnectorCore::tellEnd(const Failure& reason) {
    const std::shared_ptr<ConnectorCore> self = shared_from_this();
    const Calling calling(*this);
    ListHook<LiveTag>::unlink();
    const bool connected = std::exchange(state_, State::Disconnected) == State::Connected;
    endAttempt();
    if (connected) {
        guard("clientConnectionLost", [&] { factory_->clientConnectionLost(self, reason); });
    } else {
        guard("clientConnectionFailed", [&] { factory_->clientConnectionFailed(self, reason); });
    }
    if (state_ == State::Disconnected && std::exchange(factoryStarted_, false)) {
        guard("stopFactory", [this] { factory_->doStop(); });
    }
    if (state_ == State::Disconnected)
        reactor_.release(id_);
}

template <class F>
void ConnectorCore::guard(const char* what, F&& f) noexcept {
    const Calling calling(*this);
    try {
        f();
    } catch (...) {
        try {
            log::error("Exception in {} of {} for {}: {}", what, factory_->logPrefix(), destination_.toString(),
                       Failure::current().toString());
        } catch (...) { // a prefix that throws, or no memory for the text
        }
    }
}

Endpoint ConnectorCore::endpoint() const {
    return {.kind = Endpoint::Kind::Connection,
            .name = fmt::format("{},{},{}", factory_->logPrefix(), id_, destination_.toString()),
            .state = "connecting",
            .age = turn_.freshNow() - began_,
            .host = Address::none(),
            .peer = Address::none()};
}

} // namespace torsion::core
