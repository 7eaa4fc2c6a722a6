#pragma once

#include <reactor/address.hpp>
#include <reactor/deferred.hpp>

#include <cstddef>
#include <memory>
#include <source_location>

namespace torsion {

class Factory;
class Reactor;

/// A listening socket and its factory, as `Reactor::listenTCP` returns it.
///
/// A handle that may be dropped: the port listens until it is stopped or the reactor ends. Reactor's thread only.
///
/// It may also be kept longer than the reactor, whose end stops the port: then everything may still be asked but
/// `reactor()`, `stopListening()` has succeeded, and `startListening()` throws ReactorNotRunning.
class ListeningPort {
public:
    ListeningPort(const ListeningPort&) = delete;
    ListeningPort& operator=(const ListeningPort&) = delete;
    virtual ~ListeningPort();

    /// Where it listens, with the port that the kernel chose for 0 (S-78). Still known after the port was stopped.
    virtual Address getHost() const = 0;

    /// Stops accepting at once. The Deferred fires in a later phase, when the socket is closed (the number can be bound
    /// again) and `stopFactory` was called; it fails with what `stopFactory` threw (S-68). On a port that does not
    /// listen it has fired already (S-82). Connections accepted earlier live on (S-81).
    virtual Deferred<void> stopListening(std::source_location place = std::source_location::current()) = 0;

    /// Listens again, on the same address and port (S-83). Does nothing while listening.
    /// @throws CannotListenError; ReactorNotRunning once the reactor is gone.
    virtual void startListening() = 0;

    /// Leaves new connections in the kernel's backlog until `resumeAccepting()`.
    virtual void pauseAccepting() = 0;
    virtual void resumeAccepting() = 0;

    /// As pauseAccepting(), for as long as what it returns lives, whatever others do: each has a reason of its own, and
    /// connections are accepted when there is none left. May outlive the port.
    [[nodiscard]] virtual std::shared_ptr<void> holdAccepting() = 0;

    virtual bool isListening() const noexcept = 0;

    /// Connections accepted here and not yet lost.
    virtual std::size_t connectionCount() const noexcept = 0;

    virtual const std::shared_ptr<Factory>& factory() const noexcept = 0;
    virtual Reactor& reactor() const noexcept = 0;

protected:
    ListeningPort() = default;
};

} // namespace torsion
