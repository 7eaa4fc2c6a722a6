#include <reactor/core/port_core.hpp>

#include <reactor/core/reactor_core.hpp>
#include <reactor/errors.hpp>
#include <reactor/factory.hpp>
#include <reactor/log.hpp>

#include <exception>
#include <utility>

namespace torsion::core {

PortCore::PortCore(ReactorCore& reactor, Address wanted, std::shared_ptr<Factory> factory, const ListenOptions& options)
    : reactor_(reactor), turn_(reactor.turn()), reactorGone_(reactor.gone()), factory_(std::move(factory)),
      configureSocket_(options.configureSocket.toFunction()), maxConnections_(options.maxConnections),
      id_(turn_.nextId()), began_(turn_.freshNow()), host_(wanted) {
    spec_ = {.address = std::move(wanted),
             .backlog = options.backlog,
             .reusePort = options.reusePort,
             .dualStack = options.dualStack,
             .acceptBudget = options.acceptBudget,
             .stream = options.stream,
             .configureSocket = configureSocket_ ? &configureSocket_ : nullptr};
}

PortCore::~PortCore() = default;

/// While it lives, the factory or a hook that prepares the port may be on the stack, in which a host's loop may run:
/// nothing is accepted, and no end is told.
class PortCore::Calling {
public:
    explicit Calling(PortCore& port) noexcept : port_(port), call_(port.turn_) { ++port_.calls_; }
    Calling(const Calling&) = delete;
    Calling& operator=(const Calling&) = delete;
    ~Calling() {
        if (--port_.calls_ != 0)
            return;
        if (port_.factoryStops_ != 0 || !port_.stopping_.empty())
            port_.turn_.close(port_);
        port_.updateAccepting();
    }

private:
    PortCore& port_;
    TurnCore::OutsideCall call_;
};

Reactor& PortCore::reactor() const noexcept {
    return reactor_;
}

// The factory starts after the bind has succeeded (S-77); when it throws, nothing listens. It may stop the port in
// there, and start it again: its start is for that one then, and what it throws as well.
void PortCore::startListening() {
    checkReactor();
    if (acceptor_ || opening_)
        return;
    const std::shared_ptr<PortCore> self = shared_from_this(); // until the reactor keeps us
    const Calling calling(*this);
    open();
    if (starting_)
        --factoryStops_; // owed by the one before
    else
        startFactory();
}

// A host's loop may run in `configureSocket`.
void PortCore::open() {
    opening_ = true;
    try {
        acceptor_ = reactor_.openAcceptor(spec_, *this);
    } catch (...) {
        opening_ = false;
        throw;
    }
    opening_ = false;
    host_ = acceptor_->host();
    spec_.address = host_; // started again, it is the same port
    if (factory_->noisy)
        log::info("{} starting on {}", factory_->logPrefix(), host_.toString());
    reactor_.keep(id_, shared_from_this());
    ListHook<LiveTag>::unlink(); // still there when its end was not told yet
    turn_.addLive(*this);
}

void PortCore::startFactory() {
    starting_ = true;
    try {
        factory_->doStart();
    } catch (...) {
        starting_ = false;
        if (acceptor_)
            acceptor_.reset();
        else
            --factoryStops_; // of what was not started
        ListHook<LiveTag>::unlink();
        if (stopping_.empty())
            releaseUnused();
        throw;
    }
    starting_ = false;
}

void PortCore::checkReactor() const {
    if (*reactorGone_)
        throw ReactorNotRunning("startListening: the reactor of the port " + host_.toString() + " is gone");
    reactor_.checkThread();
}

void PortCore::checkThread() const noexcept {
    if (!*reactorGone_)
        reactor_.checkThread();
}

Deferred<void> PortCore::stopListening(std::source_location place) {
    checkThread();
    if (!acceptor_ && factoryStops_ == 0)
        return Deferred<void>::succeed(place);
    stopping_.emplace_back(place);
    Deferred<void> result = stopping_.back().deferred();
    closeAcceptor();
    return result;
}

void PortCore::closeAcceptor() {
    if (!acceptor_)
        return;
    acceptor_.reset();
    accepting_ = false;
    if (factory_->noisy)
        log::info("(TCP Port {} Closed)", host_.port());
    ++factoryStops_;
    turn_.close(*this);
}

void PortCore::onClosePhase() {
    if (calls_ != 0)
        return;
    const std::shared_ptr<PortCore> self = shared_from_this();
    if (!acceptor_)
        ListHook<LiveTag>::unlink();
    std::vector<Promise<void>> waiting = std::exchange(stopping_, {});
    const Failure failure = stopFactory();
    if (failure && waiting.empty())
        log::error("Exception in stopFactory: {}", failure.toString());
    for (Promise<void>& waiter : waiting) {
        if (failure) {
            waiter.errback(failure);
        } else {
            waiter.callback();
        }
    }
    if (!acceptor_)
        releaseUnused();
}

// As often as is owed; the failure of the last that fails.
Failure PortCore::stopFactory() {
    const Calling calling(*this);
    Failure failure;
    while (factoryStops_ != 0) {
        --factoryStops_;
        try {
            factory_->doStop();
        } catch (...) {
            failure = Failure::current();
        }
    }
    return failure;
}

void PortCore::pauseAccepting() {
    checkThread();
    paused_ = true;
    updateAccepting();
}

void PortCore::resumeAccepting() {
    checkThread();
    paused_ = false;
    updateAccepting();
}

std::shared_ptr<void> PortCore::holdAccepting() {
    checkThread();
    const auto letGo = [weak = weak_from_this()](void*) {
        if (const std::shared_ptr<PortCore> port = weak.lock()) {
            --port->holds_;
            port->updateAccepting();
        }
    };
    ++holds_; // also when there is no memory for what would give it back: then letGo is called
    std::shared_ptr<void> hold(this, letGo);
    updateAccepting();
    return hold;
}

void PortCore::updateAccepting() {
    const bool wanted =
        acceptor_ && !paused_ && holds_ == 0 && calls_ == 0 && connections_ + building_ < maxConnections_;
    if (wanted == accepting_)
        return;
    accepting_ = wanted;
    if (!acceptor_)
        return;
    if (wanted) {
        acceptor_->startAccepting();
    } else {
        acceptor_->stopAccepting();
    }
}

inline std::shared_ptr<Protocol> PortCore::buildProtocol(const Address& peer) noexcept {
    try {
        return factory_->buildProtocol(peer);
    } catch (...) {
        try {
            log::error("Exception in buildProtocol for {}: {}", peer.toString(), Failure::current().toString());
        } catch (...) { // a prefix that throws, or no memory for the text
        }
        return nullptr;
    }
}

// A connection counts from before its protocol is built: a host's loop may run in the factory, and accept others.
void PortCore::onAccepted(ChannelPtr channel, const Address& peer) {
    ++building_;
    if (connections_ + building_ >= maxConnections_)
        updateAccepting();
    std::shared_ptr<Protocol> protocol = buildProtocol(peer);
    --building_;
    if (!protocol) {
        ++turn_.stats.connectionsRefused;
        if (!acceptor_)
            releaseUnused();
        else if (!accepting_)
            updateAccepting();
        return;
    }
    ++connections_;
    if (!acceptor_)
        reactor_.keep(id_, shared_from_this()); // buildProtocol stopped the port: this connection was accepted before
    auto* stream =
        new StreamCore(turn_, reactor_, *this, std::move(channel), spec_.stream, peer, factory_, std::move(protocol));
    stream->start();
}

void PortCore::onTurnedAway() {
    ++turn_.stats.connectionsRefused;
}

void PortCore::onStreamLost(StreamCore&, const Failure&) {
    --connections_;
    if (acceptor_) {
        if (!accepting_)
            updateAccepting();
    } else {
        releaseUnused();
    }
}

// After the port was stopped; may destroy this object.
void PortCore::releaseUnused() {
    if (connections_ == 0 && building_ == 0 && factoryStops_ == 0)
        reactor_.release(id_);
}

Endpoint PortCore::endpoint() const {
    return {.kind = Endpoint::Kind::Port,
            .name = factory_->logPrefix(),
            .state = accepting_ ? "listening" : "paused",
            .age = turn_.freshNow() - began_,
            .host = host_,
            .peer = Address::none()};
}

} // namespace torsion::core
