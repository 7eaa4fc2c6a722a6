#pragma once

#include <reactor/address.hpp>
#include <reactor/deferred.hpp>

#include <chrono>
#include <cstdint>
#include <string_view>
#include <type_traits>
#include <vector>

namespace torsion {

class Reactor;

/// Which addresses are wanted.
enum class AddressFamily : std::uint8_t { Any, IPv4, IPv6 };

/// How a name is looked up.
struct ResolveOptions {
    AddressFamily family = AddressFamily::Any;

    /// Until the look-up fails with DNSLookupError; 0 for no limit.
    std::chrono::milliseconds timeout{30'000};
};
static_assert(std::is_trivially_destructible_v<ResolveOptions>);

/// The addresses of a host, by the reactor's resolver, in its order of preference. A numeric address is its own answer,
/// at once.
///
/// Fails with DNSLookupError when there is none of the family, or none in time (I17, I19). Cancelling abandons the
/// look-up; the reactor's destruction does, too: both fail it with CancelledError. The reactor's thread.
/// @param host a name or a numeric address; throws std::invalid_argument when empty.
/// @param port 0..65535, given to every address; throws std::invalid_argument beyond.
Deferred<std::vector<Address>> resolve(Reactor& reactor, std::string_view host, int port,
                                       const ResolveOptions& options = {});

/// The first of the host's addresses, with port 0; otherwise as resolve(). (Twisted's `reactor.resolve`, which knows
/// IPv4 alone: that is the default here.)
Deferred<Address> getHostByName(Reactor& reactor, std::string_view host,
                                const ResolveOptions& options = {.family = AddressFamily::IPv4});

} // namespace torsion
