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
/// connectionLost; it calls `closeScope()` first. One that is destroyed without either, as a protocol that is no
/// shared_ptr's may be, cancels its tasks only when the members of its class are gone already: then its own destructor
/// calls `closeScope()`.
template <std::derived_from<Protocol> Base = Protocol>
class ScopedProtocol : public Base, public std::enable_shared_from_this<ScopedProtocol<Base>> {
public:
    using Base::Base;

    /// Closes the scope, then calls Base's connectionLost, then connectionEnded.
    void connectionLost(const Failure& reason) final {
        closeScope();
        Base::connectionLost(reason);
        connectionEnded(reason);
    }

protected:
    /// The connection is gone, and its tasks are cancelled. See Protocol::connectionLost.
    virtual void connectionEnded(const Failure& reason) { static_cast<void>(reason); }

    /// Where this connection's tasks are spawned.
    TaskScope& scope() noexcept { return scope_; }

    /// Cancels the tasks and takes no more, as connectionLost does; until they have ended the protocol lives, when a
    /// shared_ptr owns it. To be called before `switchProtocol`. May be called again.
    void closeScope() {
        Deferred<void> ended = scope_.close();
        std::move(ended).addBoth([self = this->weak_from_this().lock()] {}).detach();
    }

private:
    TaskScope scope_{[this](const Failure& failure) { this->transport->abortConnection(failure); }};
};

} // namespace torsion
