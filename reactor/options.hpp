#pragma once

#include <reactor/function.hpp>
#include <reactor/transport.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <type_traits>

namespace torsion {

// Options are aggregates to be written with designated initialisers. They are trivially destructible: what they view is
// copied by the function they are given to, before it returns.

/// What every stream connection can be told, whichever side began it.
struct StreamOptions {
    bool noDelay = true;                      ///< TCP_NODELAY: writes of a turn are joined by us, not by the kernel
    std::optional<KeepAlive> keepAlive{};     ///< none: no probes
    std::chrono::milliseconds userTimeout{0}; ///< TCP_USER_TIMEOUT (RFC 5482); 0: the system's default
    WriteBufferLimits writeBuffer{};          ///< back-pressure
    std::optional<CloseLimits> close{};       ///< how long a close may take; none: the reactor's (ReactorLimits)
};

/// Options of `Reactor::listenTCP`.
struct ListenOptions {
    std::string_view interface {}; ///< numeric address; empty: all IPv4 (S-79); "::": all IPv6, and IPv4 with dualStack
    int backlog = 511;             ///< connections the kernel keeps for us until we accept them
    bool reusePort = false;        ///< SO_REUSEPORT: several sockets share the port
    bool dualStack = true;         ///< an IPv6 wildcard takes IPv4 connections too (IPV6_V6ONLY off)
    std::size_t maxConnections = std::numeric_limits<std::size_t>::max(); ///< open at once; accepting pauses at it
    int acceptBudget = 100; ///< connections taken for one readiness event; the rest wait a turn
    StreamOptions stream{}; ///< for every accepted connection
    CallableRef<void(int)>
        configureSocket{}; ///< called with the descriptor before bind; may throw, which fails the call
};

/// Options of `Reactor::connectTCP`.
struct ConnectOptions {
    std::optional<std::chrono::milliseconds> timeout = std::chrono::milliseconds{30'000}; ///< look-up and connecting
    std::string_view bindHost{}; ///< numeric local address; empty: the system's choice
    std::uint16_t bindPort = 0;  ///< local port; 0: the system's choice
    std::chrono::milliseconds attemptDelay{
        250};                                 ///< until the next address is tried beside the pending one (RFC 8305, 5)
    StreamOptions stream{};                   ///< for the connection
    CallableRef<void(int)> configureSocket{}; ///< called with each attempt's descriptor before bind and connect
};

/// Options of `Reactor::stop`.
struct StopOptions {
    /// How long closing connections may go on sending and lingering before they are cut; listening has ended, and open
    /// connections are asked to close (`loseConnection`). What begins meanwhile (a client that connects again) is not
    /// waited for, and cut when the others have ended. Zero: connections are flushed once, and closed.
    std::chrono::milliseconds drain{0};
};

static_assert(std::is_trivially_destructible_v<StreamOptions> && std::is_trivially_destructible_v<ListenOptions> &&
              std::is_trivially_destructible_v<ConnectOptions> && std::is_trivially_destructible_v<StopOptions>);

} // namespace torsion
