#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace torsion {

class ClientFactory;
class Reactor;
class Transport;

/// What a client wants to connect to: a name or numeric address, and a port; as it was given to `connectTCP`.
struct Destination {
    std::string host;
    std::uint16_t port = 0;

    /// "example.org:80", "[::1]:80"
    std::string toString() const;
    bool operator==(const Destination&) const = default;
};

/// One client's connecting: the same object from `startedConnecting` to `clientConnectionLost`, through any number of
/// attempts. A handle that may be dropped: attempt and connection live on. Reactor's thread only.
///
/// It may also be kept longer than the reactor, whose end disconnects it: then everything may still be asked but
/// `reactor()`, `disconnect()` does nothing, and `connect()` throws ReactorNotRunning.
class Connector {
public:
    enum class State { Disconnected, Connecting, Connected };

    Connector(const Connector&) = delete;
    Connector& operator=(const Connector&) = delete;
    virtual ~Connector();

    /// Begins a new attempt (S-100, S-101).
    /// @throws std::logic_error naming the destination and the state, unless the connector is disconnected (S-97);
    ///     ReactorNotRunning once the reactor is gone.
    virtual void connect() = 0;

    /// Gives the present attempt up: `clientConnectionFailed(UserError)` follows in a later phase (in Twisted, inside
    /// the call: S-98). @throws NotConnectingError when there is none.
    virtual void stopConnecting() = 0;

    /// Connecting: as `stopConnecting()`; connected: the transport's `loseConnection()`; disconnected: nothing (S-99).
    virtual void disconnect() = 0;

    virtual State state() const noexcept = 0;

    /// What was asked for, not resolved (S-96).
    virtual const Destination& getDestination() const noexcept = 0;

    /// The connection, or `Transport::null()`.
    virtual Transport& transport() const noexcept = 0;

    virtual const std::shared_ptr<ClientFactory>& factory() const noexcept = 0;
    virtual Reactor& reactor() const noexcept = 0;

protected:
    Connector() = default;
};

} // namespace torsion
