#include <reactor/connect.hpp>

#include <reactor/connector.hpp>
#include <reactor/errors.hpp>
#include <reactor/factory.hpp>
#include <reactor/listening_port.hpp>
#include <reactor/reactor.hpp>

#include <stdexcept>

namespace torsion {

namespace {

using ProtocolPtr = std::shared_ptr<Protocol>;

/// The factory of one connection, which tells a Deferred how that goes.
class ConnectOnce final : public ClientFactory {
public:
    /// @param protocol the connection's, or null: then `inner` builds it.
    ConnectOnce(std::shared_ptr<Factory> inner, ProtocolPtr protocol, const std::source_location& place)
        : inner_(std::move(inner)), protocol_(std::move(protocol)), made_(place) {
        noisy = false;
    }

    Deferred<ProtocolPtr> deferred() { return made_.deferred(); }

    void startFactory() override {
        if (inner_)
            inner_->doStart();
    }

    void stopFactory() override {
        if (inner_)
            inner_->doStop();
    }

    void startedConnecting(const std::shared_ptr<Connector>& connector) override {
        made_.onCancel([weak = std::weak_ptr<Connector>(connector)] {
            const std::shared_ptr<Connector> attempt = weak.lock();
            if (attempt && attempt->state() == Connector::State::Connecting)
                attempt->stopConnecting();
        });
    }

    ProtocolPtr buildProtocol(const Address& peer) override {
        if (inner_)
            protocol_ = buildInner(peer);
        return protocol_;
    }

    void clientConnectionMade(const std::shared_ptr<Connector>& connector) override {
        const ProtocolPtr protocol = std::exchange(protocol_, nullptr);
        if (made_.isFired()) {
            connector->disconnect(); // cancelled inside connectionMade: nobody will have the connection
        } else {
            made_.callback(protocol);
        }
    }

    void clientConnectionFailed(const std::shared_ptr<Connector>&, const Failure& reason) override {
        fail(thrown_ ? thrown_ : reason);
    }

    void clientConnectionLost(const std::shared_ptr<Connector>&, const Failure& reason) override {
        fail(refused_ ? Failure::of<NoProtocol>() : reason);
    }

    std::string logPrefix() const override {
        return inner_ ? inner_->logPrefix() : protocol_ ? protocol_->logPrefix() : ClientFactory::logPrefix();
    }

private:
    ProtocolPtr buildInner(const Address& peer) {
        try {
            ProtocolPtr built = inner_->buildProtocol(peer);
            refused_ = !built;
            if (built && !built->factory)
                built->factory = inner_.get();
            return built;
        } catch (...) {
            thrown_ = Failure::current();
            throw;
        }
    }

    void fail(const Failure& reason) {
        protocol_ = nullptr;
        if (!made_.isFired())
            made_.errback(reason);
    }

    std::shared_ptr<Factory> inner_;
    ProtocolPtr protocol_;
    Promise<ProtocolPtr> made_;
    Failure thrown_; // by the inner factory
    bool refused_ = false;
};

Deferred<ProtocolPtr> connectOnce(Reactor& reactor, std::string_view host, int port,
                                  const std::shared_ptr<ConnectOnce>& once, const ConnectOptions& options) {
    reactor.connectTCP(host, port, once, options);
    return once->deferred();
}

} // namespace

Deferred<ProtocolPtr> connectFactory(Reactor& reactor, std::string_view host, int port,
                                     std::shared_ptr<Factory> factory, const ConnectOptions& options,
                                     std::source_location place) {
    if (!factory)
        throw std::invalid_argument("connectFactory: the factory is null");
    return connectOnce(reactor, host, port, std::make_shared<ConnectOnce>(std::move(factory), nullptr, place), options);
}

Deferred<ProtocolPtr> detail::connectGiven(Reactor& reactor, std::string_view host, int port, ProtocolPtr protocol,
                                           const ConnectOptions& options, std::source_location place) {
    if (!protocol)
        throw std::invalid_argument("connectProtocol: the protocol is null");
    return connectOnce(reactor, host, port, std::make_shared<ConnectOnce>(nullptr, std::move(protocol), place),
                       options);
}

Deferred<std::shared_ptr<ListeningPort>> listenFactory(Reactor& reactor, int port, std::shared_ptr<Factory> factory,
                                                       const ListenOptions& options, std::source_location place) {
    return execute([&] { return reactor.listenTCP(port, std::move(factory), options); }, place);
}

} // namespace torsion
