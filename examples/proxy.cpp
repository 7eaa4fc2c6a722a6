// Passes connections on to another server. The two transports of a connection are each other's producers: each side is
// read only as quickly as the other takes it. An end of one direction is passed on as such.

#include "support/program.hpp"

#include <reactor/connector.hpp>
#include <reactor/errors.hpp>
#include <reactor/log.hpp>
#include <reactor/protocol.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace {

/// One side of a passed-on connection. Each is owned by its own transport and knows the other until either is lost.
class Side : public torsion::Protocol {
public:
    void dataReceived(std::string_view data) override {
        if (peer_)
            peer_->transport->write(data);
    }

    // Nothing more will come from here, so the other's transport must not wait for us as its producer.
    void readConnectionLost() override {
        if (!peer_)
            return transport->loseConnection();
        peer_->transport->unregisterProducer();
        peer_->transport->loseWriteConnection();
    }

    // What arrived still goes out on the other side. A stream that broke must not look complete there: it breaks too.
    void connectionLost(const torsion::Failure& reason) override {
        Side* peer = std::exchange(peer_, nullptr);
        if (!peer)
            return;
        peer->peer_ = nullptr;
        peer->transport->unregisterProducer();
        if (reason.check<torsion::ConnectionDone>()) {
            peer->transport->loseConnection();
        } else {
            peer->transport->abortConnection();
        }
    }

protected:
    void join(Side& peer) {
        peer_ = &peer;
        peer.peer_ = this;
        transport->registerProducer(*peer.transport);
        peer.transport->registerProducer(*transport);
        peer.transport->resumeProducing();
    }

private:
    Side* peer_ = nullptr;
};

/// The side that we connected.
class Outgoing : public Side {
public:
    explicit Outgoing(Side& incoming) : incoming_(incoming) {}

    // The incoming side is there: its end would have ended the attempt.
    void connectionMade() override { join(incoming_); }

private:
    Side& incoming_;
};

struct Target {
    std::string host = "127.0.0.1";
    int port = 7007;
};

/// The side that was accepted; reads nothing until the other is connected.
class Incoming : public Side {
public:
    explicit Incoming(const Target& target) : target_(target) {}

    void connectionMade() override;
    void connectionLost(const torsion::Failure& reason) override;

private:
    class Attempt;

    Target target_;
    std::shared_ptr<Attempt> attempt_;
    std::shared_ptr<torsion::Connector> connector_;
};

/// The factory of one outgoing connection.
class Incoming::Attempt : public torsion::ClientFactory {
public:
    explicit Attempt(Incoming& incoming) : incoming_(&incoming) { noisy = false; }

    void abandon() { incoming_ = nullptr; }

    std::shared_ptr<torsion::Protocol> buildProtocol(const torsion::Address&) override {
        return incoming_ ? std::make_shared<Outgoing>(*incoming_) : nullptr;
    }

    void clientConnectionFailed(const std::shared_ptr<torsion::Connector>& connector,
                                const torsion::Failure& reason) override {
        if (!incoming_)
            return;
        torsion::log::warn("{}: {}", connector->getDestination().toString(), reason.getErrorMessage());
        incoming_->transport->abortConnection();
    }

private:
    Incoming* incoming_; // null once it is lost
};

void Incoming::connectionMade() {
    transport->pauseProducing();
    attempt_ = std::make_shared<Attempt>(*this);
    connector_ = transport->reactor().connectTCP(target_.host, target_.port, attempt_);
}

void Incoming::connectionLost(const torsion::Failure& reason) {
    Side::connectionLost(reason);
    attempt_->abandon();
    if (connector_ && connector_->state() == torsion::Connector::State::Connecting)
        connector_->stopConnecting();
}

} // namespace

int main(int argc, char** argv) {
    examples::Program program("Passes connections on to another server.", examples::Role::Server, 7008);
    Target target;
    program.option("--target-host", target.host, "name or address to pass on to");
    program.option("--target-port", target.port, {1, 65535}, "port to pass on to");
    return program.run(argc, argv, [&](torsion::UvReactor& reactor) {
        program.serve(reactor, torsion::Factory::forProtocol<Incoming>(target));
    });
}
