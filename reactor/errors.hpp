#pragma once

#include <reactor/failure.hpp>

#include <string>
#include <string_view>

/// The error classes, with the names and the hierarchy of twisted.internet.error. Each can be thrown with a message and
/// an errno value, both optional, and be put into a Failure without an exception.
///
///     Error
///     ├─ BindError ── CannotListenError
///     ├─ ConnectError ── ConnectBindError, UnknownHostError, NoRouteError, ConnectionRefusedError, TCPTimedOutError,
///     │  │               PermissionDeniedError, ServiceNameUnknownError
///     │  └─ UserError ── TimeoutError, ConnectingCancelledError
///     ├─ ConnectionClosed ── ConnectionDone
///     │  └─ ConnectionLost ── ConnectionAborted, WriteLimitError
///     └─ all others

namespace torsion {

/// A socket could not be bound to a local address.
class BindError : public ErrorClass<BindError, Error> {
public:
    using ErrorClass::ErrorClass;
    static const ErrorKind kKind;
};

/// A port could not be opened: the address is in use, not ours, or not permitted.
class CannotListenError : public ErrorClass<CannotListenError, BindError> {
public:
    using ErrorClass::ErrorClass;
    static const ErrorKind kKind;

    /// @param interface the address asked for; "" for any. With a port below 0 a path.
    /// @param port the port asked for; below 0 for what has no ports, as UNIX sockets.
    /// @param code the errno value of the call that failed, 0 when none did.
    /// @param option the socket option that could not be set ("TCP_NODELAY"); "" when it was another call.
    CannotListenError(std::string interface, int port, int code, std::string_view option = {});

    const std::string& interface() const noexcept { return interface_; }
    int port() const noexcept { return port_; }

private:
    std::string interface_;
    int port_ = -1;
};

/// A connection could not be made.
class ConnectError : public ErrorClass<ConnectError, Error> {
public:
    using ErrorClass::ErrorClass;
    static const ErrorKind kKind;
};

/// The local address asked for could not be bound before connecting.
class ConnectBindError : public ErrorClass<ConnectBindError, ConnectError> {
public:
    using ErrorClass::ErrorClass;
    static const ErrorKind kKind;
};

/// The name of the host to connect to has no address.
class UnknownHostError : public ErrorClass<UnknownHostError, ConnectError> {
public:
    using ErrorClass::ErrorClass;
    static const ErrorKind kKind;
};

/// ENETUNREACH or EHOSTUNREACH while connecting.
class NoRouteError : public ErrorClass<NoRouteError, ConnectError> {
public:
    using ErrorClass::ErrorClass;
    static const ErrorKind kKind;
};

/// ECONNREFUSED: nobody listens there.
class ConnectionRefusedError : public ErrorClass<ConnectionRefusedError, ConnectError> {
public:
    using ErrorClass::ErrorClass;
    static const ErrorKind kKind;
};

/// ETIMEDOUT: the system's own time-out of TCP passed while connecting.
class TCPTimedOutError : public ErrorClass<TCPTimedOutError, ConnectError> {
public:
    using ErrorClass::ErrorClass;
    static const ErrorKind kKind;
};

/// EACCES or EPERM while connecting, from a firewall or a missing right. (Torsion's; a plain ConnectError in Twisted.)
class PermissionDeniedError : public ErrorClass<PermissionDeniedError, ConnectError> {
public:
    using ErrorClass::ErrorClass;
    static const ErrorKind kKind;
};

/// A service name was given instead of a port, and is not known.
class ServiceNameUnknownError : public ErrorClass<ServiceNameUnknownError, ConnectError> {
public:
    using ErrorClass::ErrorClass;
    static const ErrorKind kKind;
};

/// The program itself stopped the attempt, by Connector::stopConnecting for instance.
class UserError : public ErrorClass<UserError, ConnectError> {
public:
    using ErrorClass::ErrorClass;
    static const ErrorKind kKind;
};

/// A time-out of the program's passed: that of connecting, or of an operation.
class TimeoutError : public ErrorClass<TimeoutError, UserError> {
public:
    using ErrorClass::ErrorClass;
    static const ErrorKind kKind;
};

/// The Deferred of an attempt to connect was cancelled.
class ConnectingCancelledError : public ErrorClass<ConnectingCancelledError, UserError> {
public:
    using ErrorClass::ErrorClass;
    static const ErrorKind kKind;
};

/// A look-up of a name failed.
class DNSLookupError : public ErrorClass<DNSLookupError, Error> {
public:
    using ErrorClass::ErrorClass;
    static const ErrorKind kKind;
};

/// A connection has ended, one way or the other: what connectionLost is given.
class ConnectionClosed : public ErrorClass<ConnectionClosed, Error> {
public:
    using ErrorClass::ErrorClass;
    static const ErrorKind kKind;
};

/// The connection was closed in order.
class ConnectionDone : public ErrorClass<ConnectionDone, ConnectionClosed> {
public:
    using ErrorClass::ErrorClass;
    static const ErrorKind kKind;
};

/// The connection broke: reset, timed out, network gone.
class ConnectionLost : public ErrorClass<ConnectionLost, ConnectionClosed> {
public:
    using ErrorClass::ErrorClass;
    static const ErrorKind kKind;
};

/// This side called abortConnection().
class ConnectionAborted : public ErrorClass<ConnectionAborted, ConnectionLost> {
public:
    using ErrorClass::ErrorClass;
    static const ErrorKind kKind;
};

/// The hard limit on buffered bytes was crossed, and the connection aborted for it. (Torsion's.)
class WriteLimitError : public ErrorClass<WriteLimitError, ConnectionLost> {
public:
    using ErrorClass::ErrorClass;
    static const ErrorKind kKind;
};

/// A read needs more bytes than its limit allows; they are still there, and can be read otherwise. (Torsion's.)
class ReadLimitError : public ErrorClass<ReadLimitError, Error> {
public:
    using ErrorClass::ErrorClass;
    static const ErrorKind kKind;
};

/// A delayed call was cancelled, reset or delayed after it had run.
class AlreadyCalled : public ErrorClass<AlreadyCalled, Error> {
public:
    using ErrorClass::ErrorClass;
    static const ErrorKind kKind;
};

/// A delayed call was cancelled, reset or delayed after it had been cancelled.
class AlreadyCancelled : public ErrorClass<AlreadyCancelled, Error> {
public:
    using ErrorClass::ErrorClass;
    static const ErrorKind kKind;
};

/// A Connector that is not connecting was asked to stop.
class NotConnectingError : public ErrorClass<NotConnectingError, Error> {
public:
    using ErrorClass::ErrorClass;
    static const ErrorKind kKind;
};

/// Something was asked of a connection that is not there. (Torsion's.)
class NotConnectedError : public ErrorClass<NotConnectedError, Error> {
public:
    using ErrorClass::ErrorClass;
    static const ErrorKind kKind;
};

/// A reactor that is not running was asked to stop.
class ReactorNotRunning : public ErrorClass<ReactorNotRunning, Error> {
public:
    using ErrorClass::ErrorClass;
    static const ErrorKind kKind;
};

/// A running reactor was asked to run.
class ReactorAlreadyRunning : public ErrorClass<ReactorAlreadyRunning, Error> {
public:
    using ErrorClass::ErrorClass;
    static const ErrorKind kKind;
};

/// What a cancelled Deferred fails with.
class CancelledError : public ErrorClass<CancelledError, Error> {
public:
    using ErrorClass::ErrorClass;
    static const ErrorKind kKind;
};

/// A Promise was destroyed unfired: the result will never come. (Torsion's; in Twisted such a Deferred waits for
/// ever.)
class BrokenPromiseError : public ErrorClass<BrokenPromiseError, Error> {
public:
    using ErrorClass::ErrorClass;
    static const ErrorKind kKind;
};

/// A Promise was fired twice. (In Twisted too this is another class than AlreadyCalled.)
class AlreadyCalledError : public ErrorClass<AlreadyCalledError, Error> {
public:
    using ErrorClass::ErrorClass;
    static const ErrorKind kKind;
};

/// A thread pool did not take a call: too many wait, or it has ended; or it has stopped while calls still ran.
/// (Torsion's.)
class ThreadPoolError : public ErrorClass<ThreadPoolError, Error> {
public:
    using ErrorClass::ErrorClass;
    static const ErrorKind kKind;
};

/// A DeferredQueue has as many objects as it may keep.
class QueueOverflow : public ErrorClass<QueueOverflow, Error> {
public:
    using ErrorClass::ErrorClass;
    static const ErrorKind kKind;
};

/// As many wait for a DeferredQueue's objects as may wait.
class QueueUnderflow : public ErrorClass<QueueUnderflow, Error> {
public:
    using ErrorClass::ErrorClass;
    static const ErrorKind kKind;
};

/// A text or an address that is not valid, or not of the family expected.
class InvalidAddressError : public ErrorClass<InvalidAddressError, Error> {
public:
    using ErrorClass::ErrorClass;
    static const ErrorKind kKind;
};

/// An address of a family that the socket or transport cannot use.
class UnsupportedAddressFamily : public ErrorClass<UnsupportedAddressFamily, Error> {
public:
    using ErrorClass::ErrorClass;
    static const ErrorKind kKind;
};

/// A second producer was registered before the first was taken off. (A RuntimeError in Twisted.)
class ProducerAlreadyRegistered : public ErrorClass<ProducerAlreadyRegistered, Error> {
public:
    using ErrorClass::ErrorClass;
    static const ErrorKind kKind;
};

/// The factory of a connection returned no protocol.
class NoProtocol : public ErrorClass<NoProtocol, Error> {
public:
    using ErrorClass::ErrorClass;
    static const ErrorKind kKind;
};

/// The failure of an attempt to connect (S-103): NoRouteError, ConnectionRefusedError, TCPTimedOutError,
/// PermissionDeniedError or, for all other codes, ConnectError.
/// @param code the errno value of connect or of SO_ERROR.
/// @param what what was attempted, to begin the message with ("connecting to 127.0.0.1:80"); "" for none, which
///     allocates nothing.
Failure getConnectError(int code, std::string_view what = {});

} // namespace torsion
