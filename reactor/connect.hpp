#pragma once

#include <reactor/deferred.hpp>
#include <reactor/options.hpp>
#include <reactor/protocol.hpp>

#include <concepts>
#include <memory>
#include <source_location>
#include <string_view>
#include <utility>

/// Connecting and listening as results to wait for, in place of a ClientFactory that is told.

namespace torsion {

class Factory;
class ListeningPort;
class Reactor;

/// Connects to `host`, as Reactor::connectTCP does, with a protocol that `factory` builds.
///
/// The Deferred fires with the protocol when that has heard `connectionMade`, inside a callback of the connection. It
/// fails with what connecting failed with; with what `buildProtocol` threw; with NoProtocol when it gave none; with the
/// reason of the loss when the connection was over with `connectionMade`. Cancelling it gives the attempt up
/// (`stopConnecting`), or closes a connection whose `connectionMade` is running, and fails it with CancelledError,
/// which addTimeout makes a TimeoutError. (An endpoint of Twisted's fails with ConnectingCancelledError.) Dropping it
/// stops nothing.
///
/// @param factory told of start and stop, shared until the connection is lost. Not null (std::invalid_argument).
/// Throws as connectTCP does.
Deferred<std::shared_ptr<Protocol>> connectFactory(Reactor& reactor, std::string_view host, int port,
                                                   std::shared_ptr<Factory> factory, const ConnectOptions& options = {},
                                                   std::source_location place = std::source_location::current());

namespace detail {

Deferred<std::shared_ptr<Protocol>> connectGiven(Reactor& reactor, std::string_view host, int port,
                                                 std::shared_ptr<Protocol> protocol, const ConnectOptions& options,
                                                 std::source_location place);

} // namespace detail

/// As connectFactory, with a protocol that is there already; its `factory` stays what it is, or is one of the
/// library's.
/// @param protocol for this one connection. Not null (std::invalid_argument).
template <std::derived_from<Protocol> P>
Deferred<std::shared_ptr<P>> connectProtocol(Reactor& reactor, std::string_view host, int port,
                                             std::shared_ptr<P> protocol, const ConnectOptions& options = {},
                                             std::source_location place = std::source_location::current()) {
    return detail::connectGiven(reactor, host, port, std::move(protocol), options, place)
        .addCallback([](std::shared_ptr<Protocol> made) { return std::static_pointer_cast<P>(std::move(made)); });
}

/// Reactor::listenTCP, whose CannotListenError, and whatever else it throws, is a failure. There is nothing to wait
/// for: the Deferred has its result.
Deferred<std::shared_ptr<ListeningPort>> listenFactory(Reactor& reactor, int port, std::shared_ptr<Factory> factory,
                                                       const ListenOptions& options = {},
                                                       std::source_location place = std::source_location::current());

} // namespace torsion
