#include <reactor/errors.hpp>

#include <spdlog/fmt/fmt.h>

#include <cerrno>

namespace torsion {

constinit const ErrorKind BindError::kKind =
    ErrorKind::of<BindError>("BindError", "An address could not be bound.", Error::kKind);
constinit const ErrorKind CannotListenError::kKind =
    ErrorKind::of<CannotListenError>("CannotListenError", "The port could not be opened.", BindError::kKind);
constinit const ErrorKind ConnectError::kKind =
    ErrorKind::of<ConnectError>("ConnectError", "The connection could not be made.", Error::kKind);
constinit const ErrorKind ConnectBindError::kKind = ErrorKind::of<ConnectBindError>(
    "ConnectBindError", "The local address of the connection could not be bound.", ConnectError::kKind);
constinit const ErrorKind UnknownHostError::kKind =
    ErrorKind::of<UnknownHostError>("UnknownHostError", "The host's name could not be resolved.", ConnectError::kKind);
constinit const ErrorKind NoRouteError::kKind =
    ErrorKind::of<NoRouteError>("NoRouteError", "There is no route to the host.", ConnectError::kKind);
constinit const ErrorKind ConnectionRefusedError::kKind = ErrorKind::of<ConnectionRefusedError>(
    "ConnectionRefusedError", "The other side refused the connection.", ConnectError::kKind);
constinit const ErrorKind TCPTimedOutError::kKind =
    ErrorKind::of<TCPTimedOutError>("TCPTimedOutError", "The system gave up connecting.", ConnectError::kKind);
constinit const ErrorKind PermissionDeniedError::kKind = ErrorKind::of<PermissionDeniedError>(
    "PermissionDeniedError", "Connecting there is not permitted.", ConnectError::kKind);
constinit const ErrorKind ServiceNameUnknownError::kKind = ErrorKind::of<ServiceNameUnknownError>(
    "ServiceNameUnknownError", "There is no service of that name.", ConnectError::kKind);
constinit const ErrorKind UserError::kKind =
    ErrorKind::of<UserError>("UserError", "Connecting was stopped by the program.", ConnectError::kKind);
constinit const ErrorKind TimeoutError::kKind =
    ErrorKind::of<TimeoutError>("TimeoutError", "The time allowed for it passed.", UserError::kKind);
constinit const ErrorKind ConnectingCancelledError::kKind =
    ErrorKind::of<ConnectingCancelledError>("ConnectingCancelledError", "Connecting was cancelled.", UserError::kKind);
constinit const ErrorKind DNSLookupError::kKind =
    ErrorKind::of<DNSLookupError>("DNSLookupError", "A name could not be looked up.", Error::kKind);
constinit const ErrorKind ConnectionClosed::kKind =
    ErrorKind::of<ConnectionClosed>("ConnectionClosed", "The connection was closed.", Error::kKind);
constinit const ErrorKind ConnectionDone::kKind = ErrorKind::of<ConnectionDone>(
    "ConnectionDone", "Connection closed in order: both sides had finished.", ConnectionClosed::kKind);
constinit const ErrorKind ConnectionLost::kKind = ErrorKind::of<ConnectionLost>(
    "ConnectionLost", "The connection broke before it was closed in order.", ConnectionClosed::kKind);
constinit const ErrorKind ConnectionAborted::kKind = ErrorKind::of<ConnectionAborted>(
    "ConnectionAborted", "The connection was aborted by this side.", ConnectionLost::kKind);
constinit const ErrorKind WriteLimitError::kKind = ErrorKind::of<WriteLimitError>(
    "WriteLimitError", "The connection was aborted: more bytes waited for sending than the limit allows.",
    ConnectionLost::kKind);
constinit const ErrorKind ReadLimitError::kKind =
    ErrorKind::of<ReadLimitError>("ReadLimitError", "More bytes came than the limit allows.", Error::kKind);
constinit const ErrorKind AlreadyCalled::kKind =
    ErrorKind::of<AlreadyCalled>("AlreadyCalled", "The call was made already.", Error::kKind);
constinit const ErrorKind AlreadyCancelled::kKind =
    ErrorKind::of<AlreadyCancelled>("AlreadyCancelled", "The call was cancelled already.", Error::kKind);
constinit const ErrorKind NotConnectingError::kKind =
    ErrorKind::of<NotConnectingError>("NotConnectingError", "Nothing is being connected.", Error::kKind);
constinit const ErrorKind NotConnectedError::kKind =
    ErrorKind::of<NotConnectedError>("NotConnectedError", "There is no connection.", Error::kKind);
constinit const ErrorKind ReactorNotRunning::kKind =
    ErrorKind::of<ReactorNotRunning>("ReactorNotRunning", "The reactor is not running.", Error::kKind);
constinit const ErrorKind ReactorAlreadyRunning::kKind =
    ErrorKind::of<ReactorAlreadyRunning>("ReactorAlreadyRunning", "The reactor is running already.", Error::kKind);
constinit const ErrorKind CancelledError::kKind =
    ErrorKind::of<CancelledError>("CancelledError", "The operation was cancelled.", Error::kKind);
constinit const ErrorKind BrokenPromiseError::kKind = ErrorKind::of<BrokenPromiseError>(
    "BrokenPromiseError", "The promise was dropped before it was kept.", Error::kKind);
constinit const ErrorKind AlreadyCalledError::kKind =
    ErrorKind::of<AlreadyCalledError>("AlreadyCalledError", "The promise was kept already.", Error::kKind);
constinit const ErrorKind QueueOverflow::kKind =
    ErrorKind::of<QueueOverflow>("QueueOverflow", "The queue is full.", Error::kKind);
constinit const ErrorKind QueueUnderflow::kKind =
    ErrorKind::of<QueueUnderflow>("QueueUnderflow", "Too many wait for the queue.", Error::kKind);
constinit const ErrorKind ThreadPoolError::kKind =
    ErrorKind::of<ThreadPoolError>("ThreadPoolError", "The thread pool did not take the call.", Error::kKind);
constinit const ErrorKind InvalidAddressError::kKind =
    ErrorKind::of<InvalidAddressError>("InvalidAddressError", "That is no address.", Error::kKind);
constinit const ErrorKind UnsupportedAddressFamily::kKind = ErrorKind::of<UnsupportedAddressFamily>(
    "UnsupportedAddressFamily", "The address family is not supported here.", Error::kKind);
constinit const ErrorKind ProducerAlreadyRegistered::kKind = ErrorKind::of<ProducerAlreadyRegistered>(
    "ProducerAlreadyRegistered", "A producer is registered already.", Error::kKind);
constinit const ErrorKind NoProtocol::kKind =
    ErrorKind::of<NoProtocol>("NoProtocol", "The factory built no protocol.", Error::kKind);

namespace {

std::string cannotListenText(const std::string& interface, int port, int code, std::string_view option) {
    std::string where = interface.empty() ? "any" : interface;
    if (port >= 0) {
        const bool hasColons = where.find(':') != std::string::npos;
        where = hasColons ? fmt::format("[{}]:{}", where, port) : fmt::format("{}:{}", where, port);
    }
    if (code == 0)
        return fmt::format("Couldn't listen on {}", where);
    if (!option.empty())
        return fmt::format("Couldn't listen on {}: cannot set {}: {}", where, option, describeErrno(code));
    return fmt::format("Couldn't listen on {}: {}", where, describeErrno(code));
}

template <class E>
Failure connectFailure(int code, std::string_view what) {
    if (what.empty())
        return Failure::of<E>(code);
    return Failure::of<E>(fmt::format("{}: {}", what, describeErrno(code)), code);
}

} // namespace

CannotListenError::CannotListenError(std::string interface, int port, int code, std::string_view option)
    : ErrorClass(cannotListenText(interface, port, code, option), code), interface_(std::move(interface)), port_(port) {
}

Failure getConnectError(int code, std::string_view what) {
    switch (code) {
    case ENETUNREACH:
    case EHOSTUNREACH:
        return connectFailure<NoRouteError>(code, what);
    case ECONNREFUSED:
        return connectFailure<ConnectionRefusedError>(code, what);
    case ETIMEDOUT:
        return connectFailure<TCPTimedOutError>(code, what);
    case EACCES:
    case EPERM:
        return connectFailure<PermissionDeniedError>(code, what);
    default:
        return connectFailure<ConnectError>(code, what);
    }
}

} // namespace torsion
