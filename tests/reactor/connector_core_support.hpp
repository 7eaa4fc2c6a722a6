#pragma once

#include <reactor/connector.hpp>
#include <reactor/factory.hpp>
#include <reactor/failure.hpp>
#include <reactor/protocol.hpp>

#include "support/scripted_reactor.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// What the tests of connectors share.
namespace torsion::test {

/// Traces what the factory and its protocols hear; hooks are called after the entry was made.
class TracingFactory final : public ClientFactory {
public:
    using Hook = std::function<void(const std::shared_ptr<Connector>&)>;

    TracingFactory() { noisy = false; }

    std::shared_ptr<Protocol> buildProtocol(const Address& peer) override {
        trace.push_back("build " + peer.toString());
        if (onBuild)
            onBuild();
        return refuse ? nullptr : std::make_shared<TracingProtocol>(*this);
    }
    void startFactory() override {
        trace.emplace_back("start");
        if (onStart)
            onStart();
    }
    void stopFactory() override {
        trace.emplace_back("stop");
        if (onStop)
            onStop();
    }
    void startedConnecting(const std::shared_ptr<Connector>& connector) override {
        hear("started", connector, onStarted);
    }
    void clientConnectionFailed(const std::shared_ptr<Connector>& connector, const Failure& reason) override {
        lastReason = reason;
        hear("failed " + reason.name(), connector, onFailed);
    }
    void clientConnectionLost(const std::shared_ptr<Connector>& connector, const Failure& reason) override {
        lastReason = reason;
        hear("lost " + reason.name(), connector, onLost);
    }

    std::vector<std::string> trace;
    std::vector<Connector*> connectors;
    Failure lastReason;
    bool refuse = false;
    std::function<void()> onBuild, onStart, onStop, onConnectionLost;
    Hook onStarted, onFailed, onLost;

private:
    class TracingProtocol final : public Protocol {
    public:
        explicit TracingProtocol(TracingFactory& tracing) : tracing_(tracing) {}
        void connectionMade() override { tracing_.trace.emplace_back("made"); }
        void connectionLost(const Failure& reason) override {
            tracing_.trace.push_back("protocol lost " + reason.name());
            if (tracing_.onConnectionLost)
                tracing_.onConnectionLost();
        }

    private:
        TracingFactory& tracing_;
    };

    void hear(std::string what, const std::shared_ptr<Connector>& connector, const Hook& hook) {
        trace.push_back(std::move(what));
        connectors.push_back(connector.get());
        if (hook)
            hook(connector);
    }
};

[[noreturn]] inline void throwError() {
    throw std::runtime_error("from the test");
}

/// A factory and the reactor on which it connects.
struct ConnectorFixture {
    std::shared_ptr<TracingFactory> factory = std::make_shared<TracingFactory>();
    std::optional<ScriptedReactor> made{std::in_place};
    ScriptedReactor& reactor = *made;

    std::shared_ptr<Connector> connect(std::string_view host = "192.0.2.1", const ConnectOptions& options = {}) {
        return reactor.connectTCP(host, 80, factory, options);
    }
    std::vector<std::string> take() { return std::exchange(factory->trace, {}); }
};

} // namespace torsion::test
