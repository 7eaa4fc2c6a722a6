#pragma once

#include <reactor/address.hpp>
#include <reactor/errors.hpp>
#include <reactor/factory.hpp>
#include <reactor/failure.hpp>
#include <reactor/protocol.hpp>
#include <reactor/testing/memory_reactor.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

/// What the tests of MemoryReactor share.
namespace torsion::test {

/// Sends back what it receives.
class Echo : public Protocol {
    void dataReceived(std::string_view data) override { transport->write(data); }
};

/// Keeps what it hears.
class Keeper : public Protocol {
public:
    std::string received;
    std::vector<std::string> events;
    Failure reason;
    std::function<void(Keeper&)> onMade;

    void connectionMade() override {
        events.emplace_back("made");
        if (onMade)
            onMade(*this);
    }
    void dataReceived(std::string_view data) override { received += data; }
    void connectionLost(const Failure& why) override {
        events.push_back("lost " + why.name());
        reason = why;
    }
    bool lost() const { return static_cast<bool>(reason); }
};

/// Gives its one Keeper to a connection of a port or a connector.
class KeeperFactory : public ClientFactory {
public:
    std::shared_ptr<Keeper> keeper = std::make_shared<Keeper>();
    Failure failed;

    KeeperFactory() { noisy = false; }
    std::shared_ptr<Protocol> buildProtocol(const Address&) override { return keeper; }
    void clientConnectionFailed(const std::shared_ptr<Connector>&, const Failure& reason) override { failed = reason; }
};

inline std::shared_ptr<KeeperFactory> keeperFactory() {
    return std::make_shared<KeeperFactory>();
}

/// A factory that does not log its starts and stops.
template <class P>
std::shared_ptr<Factory> quietly() {
    auto factory = Factory::forProtocol<P>();
    factory->noisy = false;
    return factory;
}

/// The failure of an attempt to connect.
inline Failure failureOf(testing::MemoryReactor& reactor, std::string_view host, int port,
                         const ConnectOptions& options = {}) {
    auto factory = keeperFactory();
    reactor.connectTCP(host, port, factory, options);
    CHECK(reactor.runUntil([&] { return static_cast<bool>(factory->failed); }));
    return factory->failed;
}

/// The errno with which listening fails; 0 when it does not.
inline int listenError(testing::MemoryReactor& reactor, int port, const ListenOptions& options = {}) {
    try {
        reactor.listenTCP(port, quietly<Echo>(), options);
        return 0;
    } catch (const CannotListenError& error) {
        return error.code();
    }
}

/// `size` bytes in which each place can be told from the others.
inline std::string text(std::size_t size) {
    std::string result;
    for (std::size_t i = 0; result.size() < size; ++i)
        result += std::to_string(i) + ",";
    return result.substr(0, size);
}

} // namespace torsion::test
