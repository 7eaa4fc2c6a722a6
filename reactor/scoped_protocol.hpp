#pragma once

#include <reactor/protocol.hpp>
#include <reactor/task_scope.hpp>

#include <concepts>
#include <memory>
#include <utility>

namespace torsion {

/// A protocol whose coroutines end with its connection: on top of Protocol, or of any class of protocols.
///
/// @code
/// class Greeter : public ScopedProtocol<> {
///     void connectionMade() override { scope().spawn(greet()); }
///     Deferred<void> greet() {
///         co_await transport->reactor().sleep(1s);
///         transport->write("hello\r\n");
///     }
/// };
/// @endcode
///
/// When the connection is lost the scope closes, which cancels its tasks, and then `connectionEnded` is called: that is
/// what to override in place of `connectionLost`. A task that cleans up across a `co_await` finds the protocol still
/// there: a protocol that a shared_ptr owns lives until its tasks have ended. (For that it is an
/// std::enable_shared_from_this; a derived class must not be another one.)
///
/// A task that fails is logged, with the place where it was started, and its connection aborted with that failure, just
/// as if a callback had thrown.
///
/// The scope is for the time from connectionMade on. A protocol that leaves its connection by `switchProtocol` hears no
/// connectionLost; it closes its scope first.
template <std::derived_from<Protocol> Base = Protocol>
class ScopedProtocol : public Base, public std::enable_shared_from_this<ScopedProtocol<Base>> {
public:
    using Base::Base;

    /// Closes the scope, then calls Base's connectionLost, then connectionEnded.
    void connectionLost(const Failure& reason) final {
        Deferred<void> ended = scope_.close();
        std::move(ended).addBoth([self = this->weak_from_this().lock()] {}).detach();
        Base::connectionLost(reason);
        connectionEnded(reason);
    }

protected:
    /// The connection is gone, and its tasks are cancelled. See Protocol::connectionLost.
    virtual void connectionEnded(const Failure& reason) { static_cast<void>(reason); }

    /// Where this connection's tasks are spawned.
    TaskScope& scope() noexcept { return scope_; }

private:
    TaskScope scope_{[this](const Failure& failure) { this->transport->abortConnection(failure); }};
};

} // namespace torsion
