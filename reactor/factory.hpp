#pragma once

#include <reactor/address.hpp>
#include <reactor/protocol.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <tuple>
#include <type_traits>
#include <typeinfo>
#include <utility>

namespace torsion {

class Connector;
class Failure;

/// Makes a protocol for each connection of one or more ports and connectors, and keeps what they share.
///
/// Held by `shared_ptr` by every port, connector and transport that uses it. Runs on the reactor's thread.
class Factory {
public:
    Factory() = default;
    Factory(const Factory&) = delete;
    Factory& operator=(const Factory&) = delete;
    virtual ~Factory();

    /// A protocol for a new connection, or null to refuse it (the connection is closed).
    /// @param peer the other end (S-86).
    /// What it throws is logged and the connection is closed.
    virtual std::shared_ptr<Protocol> buildProtocol(const Address& peer) = 0;

    /// The first port or connector begins to use this factory.
    virtual void startFactory() {}

    /// The last port or connector has ended. Connections made earlier may live on (S-81).
    virtual void stopFactory() {}

    /// What logs call this factory; the class's name by default.
    virtual std::string logPrefix() const;

    /// Counts users: calls `startFactory()` for the first (S-80). For ports, connectors and wrapping factories.
    void doStart();

    /// Counts users: calls `stopFactory()` after the last; one call too many is ignored (S-80).
    void doStop();

    /// Whether starting and stopping is logged.
    bool noisy = true;

    /// A factory that makes `P(args…)` for each connection. `P::factory` is the new factory.
    template <class P, class... Args>
    static std::shared_ptr<Factory> forProtocol(Args... args);

    /// A factory that calls `f(peer)` for each connection; `f` returns a `shared_ptr` to a protocol, or null.
    template <class F>
    static std::shared_ptr<Factory> fromFunction(F f);

private:
    std::size_t users_ = 0;
};

/// A factory that also hears how connecting goes.
class ClientFactory : public Factory {
public:
    /// An attempt begins. Called inside `connectTCP` and `Connector::connect()` (S-95); may call `stopConnecting()`.
    virtual void startedConnecting(const std::shared_ptr<Connector>& connector) { static_cast<void>(connector); }

    /// The connection exists: its protocol has heard `connectionMade`, and did not end it there. A callback of the
    /// connection, as that one is. (Torsion's; Twisted's endpoints wrap the protocol instead.)
    virtual void clientConnectionMade(const std::shared_ptr<Connector>& connector) { static_cast<void>(connector); }

    /// The attempt came to nothing. May call `connector->connect()` to try again (S-100).
    virtual void clientConnectionFailed(const std::shared_ptr<Connector>& connector, const Failure& reason) {
        static_cast<void>(connector), static_cast<void>(reason);
    }

    /// The connection is gone; the protocol heard `connectionLost` with the same reason just before. May call
    /// `connector->connect()`.
    virtual void clientConnectionLost(const std::shared_ptr<Connector>& connector, const Failure& reason) {
        static_cast<void>(connector), static_cast<void>(reason);
    }

    /// As `Factory::forProtocol`, for clients.
    template <class P, class... Args>
    static std::shared_ptr<ClientFactory> forProtocol(Args... args);

    /// As `Factory::fromFunction`, for clients.
    template <class F>
    static std::shared_ptr<ClientFactory> fromFunction(F f);
};

namespace detail {

/// "EchoFactory" for a protocol `Echo`, "Factory" without one.
std::string factoryName(const std::type_info* protocol);

/// A factory of either kind (`Base`) around a callable.
template <class Base, class F>
class FunctionFactory final : public Base {
public:
    /// @param made what it makes, for logs; null when that is not known.
    FunctionFactory(F f, const std::type_info* made) : f_(std::move(f)), made_(made) {}

    std::shared_ptr<Protocol> buildProtocol(const Address& peer) override {
        std::shared_ptr<Protocol> protocol = f_(peer);
        if (protocol && !protocol->factory)
            protocol->factory = this;
        return protocol;
    }
    std::string logPrefix() const override { return factoryName(made_); }

private:
    F f_;
    const std::type_info* made_;
};

template <class Base, class F>
std::shared_ptr<Base> factoryFrom(F f, const std::type_info* protocol = nullptr) {
    return std::make_shared<FunctionFactory<Base, F>>(std::move(f), protocol);
}

template <class Base, class P, class... Args>
std::shared_ptr<Base> factoryOf(Args... args) {
    static_assert(std::is_base_of_v<Protocol, P>, "forProtocol<P>: P must derive from torsion::Protocol");
    auto make = [saved = std::make_tuple(std::move(args)...)](const Address&) {
        return std::apply([](const auto&... each) -> std::shared_ptr<Protocol> { return std::make_shared<P>(each...); },
                          saved);
    };
    return factoryFrom<Base>(std::move(make), &typeid(P));
}

} // namespace detail

template <class P, class... Args>
std::shared_ptr<Factory> Factory::forProtocol(Args... args) {
    return detail::factoryOf<Factory, P>(std::move(args)...);
}

template <class F>
std::shared_ptr<Factory> Factory::fromFunction(F f) {
    return detail::factoryFrom<Factory>(std::move(f));
}

template <class P, class... Args>
std::shared_ptr<ClientFactory> ClientFactory::forProtocol(Args... args) {
    return detail::factoryOf<ClientFactory, P>(std::move(args)...);
}

template <class F>
std::shared_ptr<ClientFactory> ClientFactory::fromFunction(F f) {
    return detail::factoryFrom<ClientFactory>(std::move(f));
}

} // namespace torsion
