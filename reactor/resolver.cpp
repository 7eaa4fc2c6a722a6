#include <reactor/resolver.hpp>

#include <reactor/detail/system_names.hpp>
#include <reactor/errors.hpp>

#include <spdlog/fmt/fmt.h>

#include <utility>

namespace torsion {

std::string NameQuery::toString() const {
    const std::string suffix = protocol.empty() ? std::string() : "/" + protocol;
    switch (kind) {
    case Kind::Addresses:
    case Kind::HostByName:
        break;
    case Kind::HostByAddress:
        return address.host();
    case Kind::ServiceByName:
        return fmt::format("service {}{}", name, suffix);
    case Kind::ServiceByPort:
        return fmt::format("service {}{}", number, suffix);
    case Kind::ProtocolByName:
        return fmt::format("protocol {}", name);
    case Kind::ProtocolByNumber:
        return fmt::format("protocol {}", number);
    }
    return name;
}

Failure NameQuery::failed(std::string_view why, int code) const {
    std::string message = fmt::format("looking up {}: {}", toString(), why);
    if (kind == Kind::ServiceByName || kind == Kind::ServiceByPort)
        return Failure::of<ServiceNameUnknownError>(std::move(message), code);
    return Failure::of<DNSLookupError>(std::move(message), code);
}

Resolver::~Resolver() = default;
Resolver::Lookup::~Lookup() = default;

std::unique_ptr<Resolver::Lookup> Resolver::lookUp(const NameQuery& query, EntryCallback callback) {
    if (query.kind != NameQuery::Kind::Addresses)
        query.failed("the resolver knows addresses alone").raise();
    return resolve(query.name, 0, query.family,
                   [callback = std::move(callback)](std::vector<Address> addresses, const Failure& failure) mutable {
                       EntryCallback call = std::move(callback); // it may destroy the look-up, and so this closure
                       call({.addresses = std::move(addresses)}, failure);
                   });
}

std::uint16_t Resolver::getServicePort(const std::string& service, const std::string& protocol) {
    const detail::NameAnswer answer =
        detail::querySystem({.kind = NameQuery::Kind::ServiceByName, .name = service, .protocol = protocol});
    if (answer.failure)
        answer.failure.raise();
    return static_cast<std::uint16_t>(answer.entry.number);
}

std::unique_ptr<Resolver::Lookup> NameResolver::resolve(const std::string& host, std::uint16_t port,
                                                        AddressFamily family, Callback callback) {
    return lookUp({.kind = NameQuery::Kind::Addresses, .name = host, .family = family},
                  [port, callback = std::move(callback)](NameEntry entry, const Failure& failure) mutable {
                      for (Address& each : entry.addresses)
                          each = each.withPort(port);
                      Callback call = std::move(callback); // as above
                      call(std::move(entry.addresses), failure);
                  });
}

} // namespace torsion
