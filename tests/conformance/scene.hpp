#pragma once

#include "conformance/driver.hpp"
#include "conformance/pair.hpp"
#include "support/raw_socket.hpp"

#include <reactor/address.hpp>
#include <reactor/connector.hpp>
#include <reactor/factory.hpp>
#include <reactor/failure.hpp>
#include <reactor/listening_port.hpp>
#include <reactor/options.hpp>
#include <reactor/testing/script_resolver.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace torsion::test {

/// What user code throws in a case.
struct Bug : std::runtime_error {
    Bug() : std::runtime_error("a bug in user code") {}
};

/// A factory of either kind (`Base`) that notes what it hears as "server factory started", …, makes RecordingProtocols
/// and keeps them, and does what the case tells it.
template <class Base>
class SceneFactory : public Base {
public:
    SceneFactory(std::string name, std::shared_ptr<EventLog> log) : name_(std::move(name)), log_(std::move(log)) {
        this->noisy = false;
    }

    /// @name Called inside the callbacks; may throw
    /// @{
    std::function<void()> onStart;
    std::function<void()> onStop;
    std::function<void(RecordingProtocol&)> onBuild; ///< tells the new protocol what to do
    /// @}

    bool refuses = false;                                      ///< buildProtocol gives none
    std::vector<Address> peers;                                ///< what buildProtocol was given
    std::vector<std::shared_ptr<RecordingProtocol>> protocols; ///< what it gave

    RecordingProtocol& first() const { return *protocols.at(0); }

    std::shared_ptr<Protocol> buildProtocol(const Address& peer) override {
        peers.push_back(peer);
        if (refuses)
            return nullptr;
        auto protocol = std::make_shared<RecordingProtocol>(name_, log_);
        protocols.push_back(protocol);
        if (onBuild)
            onBuild(*protocol);
        return protocol;
    }
    void startFactory() override { note("started", onStart); }
    void stopFactory() override { note("stopped", onStop); }
    std::string logPrefix() const override { return "Scene" + name_ + "Factory"; }

    /// Does nothing but record from now on, and neither do its protocols.
    virtual void forgetOrders() {
        onStart = onStop = nullptr;
        onBuild = nullptr;
        for (const auto& protocol : protocols)
            protocol->forgetOrders();
    }

protected:
    /// A copy of `order` is called: it may replace itself.
    template <class Order, class... Args>
    void note(const std::string& event, const Order& order, Args&&... args) {
        log_->add(name_ + " factory " + event);
        if (const Order copy = order)
            copy(args...);
    }

private:
    std::string name_;
    std::shared_ptr<EventLog> log_;
};

using SceneServerFactory = SceneFactory<Factory>;

/// The client's: also notes "client factory connecting", "client factory failed ConnectionRefusedError", ….
class SceneClientFactory : public SceneFactory<ClientFactory> {
public:
    using SceneFactory::SceneFactory;

    std::function<void(Connector&)> onConnecting;
    std::function<void(Connector&)> onFailed;
    std::function<void(Connector&)> onLost;

    std::vector<const Connector*> heardFrom; ///< in each of the three callbacks; not held: connectors hold us
    std::vector<Failure> failures;           ///< clientConnectionFailed's
    std::vector<Failure> losses;             ///< clientConnectionLost's

    void startedConnecting(const std::shared_ptr<Connector>& connector) override;
    void clientConnectionFailed(const std::shared_ptr<Connector>& connector, const Failure& reason) override;
    void clientConnectionLost(const std::shared_ptr<Connector>& connector, const Failure& reason) override;
    void forgetOrders() override;
};

/// What most cases about ports and connectors need: a factory for each side and one log of all events. Orders are
/// forgotten at its end: factories and protocols may outlive it in the reactor.
class Scene {
public:
    explicit Scene(Driver& driver) : driver_(driver) {}
    Scene(const Scene&) = delete;
    Scene& operator=(const Scene&) = delete;
    ~Scene();

    /// Listens with the server's factory, on the loopback address unless the options name another, and
    /// with small kernel buffers unless they have a hook of their own.
    std::shared_ptr<ListeningPort> listen(int port = 0, ListenOptions options = {});

    /// Connects with the client's factory.
    std::shared_ptr<Connector> connect(const ListeningPort& port, const ConnectOptions& options = {});
    std::shared_ptr<Connector> connect(int port, const ConnectOptions& options = {});

    /// A client that connects to `port`, and the server's end of it: both have made their connection.
    void connectPair(const ListeningPort& port);

    /// Runs until the client's factory has heard as many failures, or losses.
    void runUntilFailed(std::size_t count = 1);
    void runUntilLost(std::size_t count = 1);

    /// A number that nobody listens on, nor will as long as this object lives.
    int closedPort();

    /// A number to listen on: it was ours a moment ago.
    int freePort();

    const std::shared_ptr<EventLog> events = std::make_shared<EventLog>();
    EventLog& log = *events;
    const std::shared_ptr<SceneServerFactory> server = std::make_shared<SceneServerFactory>("server", events);
    const std::shared_ptr<SceneClientFactory> client = std::make_shared<SceneClientFactory>("client", events);

private:
    Driver& driver_;
    std::vector<RawSocket> closed_; // they hold the numbers
};

/// Says when a Deferred fires, and how. The Deferred is let go.
class Outcome {
public:
    explicit Outcome(Deferred<void> deferred);

    bool fired() const noexcept { return state_->fired; }
    const Failure& failure() const noexcept { return state_->failure; }

private:
    struct State {
        bool fired = false;
        Failure failure;
    };
    std::shared_ptr<State> state_ = std::make_shared<State>();
};

/// Gives the reactor a resolver that knows what the case tells it.
testing::ScriptResolver& scriptNames(Driver& driver);

/// When the reactor's next call is due, its own ones included: what it waits for if no event comes.
std::optional<TimePoint> nextCall(Driver& driver);

/// `run()` that ends: when nobody has stopped the reactor after 10 s of its time, the case fails.
void runReactor(Driver& driver);

} // namespace torsion::test
