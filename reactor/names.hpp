#pragma once

#include <reactor/address.hpp>
#include <reactor/deferred.hpp>
#include <reactor/resolver.hpp>

#include <chrono>
#include <cstdint>
#include <source_location>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

/// What the name-service functions of the classic socket module do, by the reactor's resolver and as Deferreds: none
/// keeps the reactor waiting. With a CachingResolver answers are remembered. `place` is what the log calls the place of
/// creation when a failure is not handled.

namespace torsion {

class Reactor;

/// How a host is looked up.
struct ResolveOptions {
    /// The resolver asks for addresses of this family alone (I18).
    AddressFamily family = AddressFamily::Any;

    /// Until the look-up fails with DNSLookupError; 0 for no limit.
    std::chrono::milliseconds timeout{30'000};
};
static_assert(std::is_trivially_destructible_v<ResolveOptions>);

/// How a service or a protocol is looked up.
struct NameOptions {
    /// Until the look-up fails; 0 for no limit.
    std::chrono::milliseconds timeout{30'000};
};
static_assert(std::is_trivially_destructible_v<NameOptions>);

/// What is known of a host.
struct HostEntry {
    std::string name; ///< the official one
    std::vector<std::string> aliases;
    std::vector<Address> addresses; ///< in the order of preference, with port 0
};

/// What is known of a service.
struct ServiceEntry {
    std::string name; ///< the official one, "http"
    std::vector<std::string> aliases;
    std::uint16_t port = 0;
    std::string protocol; ///< "tcp", "udp"
};

/// What is known of a protocol.
struct ProtocolEntry {
    std::string name; ///< the official one, "tcp"
    std::vector<std::string> aliases;
    int number = 0; ///< as socket() and IP headers take it
};

/// @name Hosts
///
/// All fail with DNSLookupError, which names what was looked up, when there is no answer, or none in time (I17, I19).
/// Cancelling abandons the look-up; the reactor's destruction does, too: both fail it with CancelledError. They throw
/// std::invalid_argument for an empty name, a negative time-out and numbers out of range. The reactor's thread.
/// @{

/// The addresses of a host, in the resolver's order of preference. A numeric address is its own answer, at once.
/// @param host a name or a numeric address.
/// @param port 0..65535, given to every address.
Deferred<std::vector<Address>> resolve(Reactor& reactor, std::string_view host, int port,
                                       const ResolveOptions& options = {},
                                       std::source_location place = std::source_location::current());

/// The first of the host's addresses, with port 0. (Twisted's `reactor.resolve`, which knows IPv4 alone: that is the
/// default here.)
Deferred<Address> getHostByName(Reactor& reactor, std::string_view host,
                                const ResolveOptions& options = {.family = AddressFamily::IPv4},
                                std::source_location place = std::source_location::current());

/// The host with all its names and addresses (gethostbyname_ex, which knows IPv4 alone). A numeric address is its own
/// answer, at once, and its own name.
Deferred<HostEntry> getHostByNameEx(Reactor& reactor, std::string_view host, const ResolveOptions& options = {},
                                    std::source_location place = std::source_location::current());

/// The host that has an address: its names, and its addresses as far as the resolver tells.
/// @param address of either family; its port does not matter. Throws InvalidAddressError for other kinds.
Deferred<HostEntry> getHostByAddr(Reactor& reactor, const Address& address, const NameOptions& options = {},
                                  std::source_location place = std::source_location::current());

/// @param address numeric; throws InvalidAddressError when it is not.
Deferred<HostEntry> getHostByAddr(Reactor& reactor, std::string_view address, const NameOptions& options = {},
                                  std::source_location place = std::source_location::current());

/// The name of this machine, as the system was told it; at once. Throws std::system_error.
std::string getHostName();

/// The fully qualified name of a host: of the names of its first address the first one with a dot, else the official
/// one; where it cannot be found out in time, what was given. Fails with CancelledError alone.
/// @param host a name or a numeric address; "", "0.0.0.0" and "::" are this machine.
Deferred<std::string> getFQDN(Reactor& reactor, std::string_view host = {}, const NameOptions& options = {},
                              std::source_location place = std::source_location::current());
/// @}

/// @name Services and protocols
///
/// As hosts. Services fail with ServiceNameUnknownError, protocols with DNSLookupError.
/// @{

/// @param service a name or alias, "http".
/// @param protocol "tcp", "udp"; "" for the first that has it.
Deferred<ServiceEntry> getServiceByName(Reactor& reactor, std::string_view service, std::string_view protocol = "tcp",
                                        const NameOptions& options = {},
                                        std::source_location place = std::source_location::current());

/// @param port 0..65535.
Deferred<ServiceEntry> getServiceByPort(Reactor& reactor, int port, std::string_view protocol = "tcp",
                                        const NameOptions& options = {},
                                        std::source_location place = std::source_location::current());

/// @param protocol a name or alias, "tcp".
Deferred<ProtocolEntry> getProtocolByName(Reactor& reactor, std::string_view protocol, const NameOptions& options = {},
                                          std::source_location place = std::source_location::current());

/// @param number 0..255, as of IPPROTO_TCP.
Deferred<ProtocolEntry> getProtocolByNumber(Reactor& reactor, int number, const NameOptions& options = {},
                                            std::source_location place = std::source_location::current());
/// @}

/// @name Packed addresses; <reactor/byte_order.hpp> has integers
/// @{

/// The bytes of a numeric address in network order: 4 of IPv4, 16 of IPv6.
/// @param family what it has to be; throws InvalidAddressError where it is not.
std::string inetPton(AddressFamily family, std::string_view address);

/// The text of an address of 4 or 16 bytes.
/// @param family what it has to be; throws InvalidAddressError where the number of bytes is another.
std::string inetNtop(AddressFamily family, std::string_view packed);
/// @}

} // namespace torsion
