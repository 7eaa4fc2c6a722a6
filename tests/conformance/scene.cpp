#include "conformance/scene.hpp"

#include "support/kernel_buffers.hpp"

#include <reactor/core/reactor_core.hpp>

#include <chrono>

namespace torsion::test {

void SceneClientFactory::startedConnecting(const std::shared_ptr<Connector>& connector) {
    heardFrom.push_back(connector.get());
    note("connecting", onConnecting, *connector);
}

void SceneClientFactory::clientConnectionFailed(const std::shared_ptr<Connector>& connector, const Failure& reason) {
    heardFrom.push_back(connector.get());
    failures.push_back(reason);
    note("failed " + reason.name(), onFailed, *connector);
}

void SceneClientFactory::clientConnectionLost(const std::shared_ptr<Connector>& connector, const Failure& reason) {
    heardFrom.push_back(connector.get());
    losses.push_back(reason);
    note("lost " + reason.name(), onLost, *connector);
}

void SceneClientFactory::forgetOrders() {
    SceneFactory::forgetOrders();
    onConnecting = onFailed = onLost = nullptr;
}

Scene::~Scene() {
    server->forgetOrders();
    client->forgetOrders();
}

std::shared_ptr<ListeningPort> Scene::listen(int port, ListenOptions options) {
    if (options.interface.empty())
        options.interface = driver_.loopback();
    if (!options.configureSocket)
        options.configureSocket = limitKernelBuffers;
    return driver_.reactor().listenTCP(port, server, options);
}

std::shared_ptr<Connector> Scene::connect(const ListeningPort& port, const ConnectOptions& options) {
    return connect(port.getHost().port(), options);
}

std::shared_ptr<Connector> Scene::connect(int port, const ConnectOptions& options) {
    return driver_.reactor().connectTCP(driver_.loopback(), port, client, options);
}

void Scene::connectPair(const ListeningPort& port) {
    const std::size_t before = server->protocols.size();
    connect(port);
    driver_.runUntil([&] {
        return server->protocols.size() > before && server->protocols.back()->made && !client->protocols.empty() &&
               client->protocols.back()->made;
    });
}

void Scene::runUntilFailed(std::size_t count) {
    driver_.runUntil([&] { return client->failures.size() >= count; });
}

void Scene::runUntilLost(std::size_t count) {
    driver_.runUntil([&] { return client->losses.size() >= count; });
}

int Scene::closedPort() {
    if (!driver_.isReal())
        return freePort();
    closed_.push_back(driver_.isIPv6() ? RawSocket::boundIPv6() : RawSocket::bound());
    return closed_.back().port();
}

int Scene::freePort() {
    const auto factory = Factory::forProtocol<Protocol>();
    factory->noisy = false;
    const auto port = driver_.reactor().listenTCP(0, factory, {.interface = driver_.loopback()});
    const Outcome stopped(port->stopListening());
    driver_.runUntil([&] { return stopped.fired(); });
    return port->getHost().port();
}

Outcome::Outcome(Deferred<void> deferred) {
    std::move(deferred)
        .addCallbacks([state = state_] { state->fired = true; },
                      [state = state_](const Failure& failure) {
                          state->fired = true;
                          state->failure = failure;
                      })
        .detach();
}

testing::ScriptResolver& scriptNames(Driver& driver) {
    auto resolver = std::make_unique<testing::ScriptResolver>(driver.reactor());
    testing::ScriptResolver& names = *resolver;
    driver.reactor().setResolver(std::move(resolver));
    return names;
}

std::optional<TimePoint> nextCall(Driver& driver) {
    return dynamic_cast<core::ReactorCore&>(driver.reactor()).turn().nextEvent();
}

void runReactor(Driver& driver) {
    Reactor& reactor = driver.reactor();
    bool late = false;
    const ScopedCall limit(reactor.callLater(std::chrono::seconds(10), [&] {
        late = true;
        reactor.crash();
    }));
    driver.run();
    REQUIRE_MESSAGE(!late, "nobody stopped the reactor within 10 s");
}

} // namespace torsion::test
