#pragma once

#include <reactor/transport.hpp>

#include <string>
#include <string_view>

namespace torsion {

class Factory;
class Failure;

/// What happens on one connection: derive from it, override what you need.
///
/// Made by a Factory for each connection and held by its transport until `connectionLost` has returned. All callbacks
/// run on the reactor's thread, one at a time; what a callback throws is logged and drops the connection with that
/// failure.
class Protocol {
public:
    Protocol() = default;
    Protocol(const Protocol&) = delete;
    Protocol& operator=(const Protocol&) = delete;
    virtual ~Protocol();

    /// The connection exists: `transport` can be used.
    virtual void connectionMade() {}

    /// Bytes arrived; how they are cut into calls says nothing (S-41).
    /// @param data never empty; valid until this call returns.
    virtual void dataReceived(std::string_view data) { static_cast<void>(data); }

    /// The connection is gone. Called exactly once for every connection that was made, always last, in the close phase;
    /// `transport` still knows its addresses.
    /// @param reason ConnectionDone after an orderly end; ConnectionLost and its kinds, or what a callback threw.
    virtual void connectionLost(const Failure& reason) { static_cast<void>(reason); }

    /// The peer will send no more. The default closes our direction too: what was written still goes out, then
    /// `connectionLost(ConnectionDone)`. Override it to go on writing (Twisted's IHalfCloseableProtocol, S-52).
    virtual void readConnectionLost();

    /// `loseWriteConnection()` is done: everything was sent, and our direction is closed.
    virtual void writeConnectionLost() {}

    /// Sets `transport` and calls `connectionMade()`, in this order.
    virtual void makeConnection(Transport& newTransport);

    /// What logs call this protocol; the class's name by default.
    virtual std::string logPrefix() const;

    /// The connection; never null. Before it is made and after it is lost: `Transport::null()`.
    Transport* transport = &Transport::null();

    /// The factory that built this protocol; null before, and after the loss. Not owned; the transport holds it.
    Factory* factory = nullptr;

    /// `factory` as the class it is. @throws std::bad_cast when it is another, or null.
    template <class F>
    F& factoryAs() const {
        if (!factory)
            throwNoFactory();
        return dynamic_cast<F&>(*factory);
    }

private:
    [[noreturn]] static void throwNoFactory();
};

} // namespace torsion
