#pragma once

#include <reactor/address.hpp>
#include <reactor/function.hpp>

#include <chrono>
#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace torsion {

class Failure;

/// Which addresses are wanted.
enum class AddressFamily : std::uint8_t { Any, IPv4, IPv6 };

/// What a Resolver is asked. Members that a kind does not name are as they are by default.
struct NameQuery {
    enum class Kind : std::uint8_t {
        Addresses,       ///< of the host `name`, of the `family`
        HostByName,      ///< the host `name` with its other names, and its addresses of the `family`
        HostByAddress,   ///< the host that has `address`, which bears no port
        ServiceByName,   ///< the service `name` of `protocol`, "" for any
        ServiceByPort,   ///< the service on the port `number` of `protocol`, "" for any
        ProtocolByName,  ///< the protocol `name`
        ProtocolByNumber ///< the protocol `number`
    };

    Kind kind = Kind::Addresses;
    std::string name{};
    AddressFamily family = AddressFamily::Any;
    Address address{};
    int number = 0;
    std::string protocol{};

    /// What messages call it: "example.org", "192.0.2.1", "service http/tcp", "protocol 6".
    std::string toString() const;

    /// The failure to answer it, "looking up example.org: no address": a ServiceNameUnknownError of services, a
    /// DNSLookupError of all else.
    /// @param code an errno value, 0 for none.
    Failure failed(std::string_view why, int code = 0) const;

    bool operator==(const NameQuery&) const = default;
    std::strong_ordering operator<=>(const NameQuery&) const = default;
};

/// What a Resolver answers. Members that do not belong to the question are as they are by default.
struct NameEntry {
    std::string name{}; ///< the official one; of Kind::Addresses "" unless it costs nothing
    std::vector<std::string> aliases{};
    std::vector<Address> addresses{}; ///< in the order of preference, with port 0
    int number = 0;                   ///< the port of a service, or the number of a protocol
    std::string protocol{};           ///< of a service

    /// How long the answer holds, where the resolver knows. With a failure: how long that does; 0 for one that may
    /// pass, such as that no name server answered.
    std::optional<std::chrono::seconds> timeToLive{};
};

/// Turns a host's name into addresses. Replaceable: `Reactor::setResolver`. One that knows more than addresses derives
/// from NameResolver.
///
/// Owned by the reactor, used on its thread. Look-ups may outlive it, and are answered then, too.
class Resolver {
public:
    /// Called once, on the reactor's thread, never inside `resolve`: with addresses in the order of preference and an
    /// empty Failure, or with no addresses and DNSLookupError. The look-up may be destroyed inside it.
    using Callback = Function<void(std::vector<Address> addresses, const Failure& failure)>;

    /// As Callback. The failure of a service is a ServiceNameUnknownError.
    using EntryCallback = Function<void(NameEntry entry, const Failure& failure)>;

    /// A look-up under way; destroying it abandons the look-up: the callback is dropped, nothing is waited for.
    class Lookup {
    public:
        Lookup() = default;
        Lookup(const Lookup&) = delete;
        Lookup& operator=(const Lookup&) = delete;
        virtual ~Lookup();
    };

    Resolver() = default;
    Resolver(const Resolver&) = delete;
    Resolver& operator=(const Resolver&) = delete;
    virtual ~Resolver();

    /// @param host a name; numeric addresses never come here.
    /// @param port given to every address.
    /// @param family what is asked for (I18): addresses of another one are not answers.
    [[nodiscard]] virtual std::unique_ptr<Lookup> resolve(const std::string& host, std::uint16_t port,
                                                          AddressFamily family, Callback callback) = 0;

    /// Any question. Where this is not overridden, Kind::Addresses is a `resolve`, and there is no other.
    /// @throws DNSLookupError or ServiceNameUnknownError for a kind of question that the resolver does not know.
    [[nodiscard]] virtual std::unique_ptr<Lookup> lookUp(const NameQuery& query, EntryCallback callback);

    /// The port of a service, at once, for those who cannot wait. By default by the system's list, which is read here.
    /// @throws ServiceNameUnknownError
    virtual std::uint16_t getServicePort(const std::string& service, const std::string& protocol);
};

/// A Resolver that answers all kinds of questions: what it has to write is `lookUp`.
class NameResolver : public Resolver {
public:
    [[nodiscard]] std::unique_ptr<Lookup> resolve(const std::string& host, std::uint16_t port, AddressFamily family,
                                                  Callback callback) override;
    [[nodiscard]] std::unique_ptr<Lookup> lookUp(const NameQuery& query, EntryCallback callback) override = 0;
};

} // namespace torsion
