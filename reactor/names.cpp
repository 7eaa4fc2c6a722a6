#include <reactor/names.hpp>

#include <reactor/errors.hpp>
#include <reactor/failure.hpp>
#include <reactor/reactor.hpp>

#include <spdlog/fmt/fmt.h>

#include <limits.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>
#include <source_location>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

namespace torsion {

namespace {

using Kind = NameQuery::Kind;
using std::chrono::milliseconds;

bool fits(const Address& address, AddressFamily family) {
    return family == AddressFamily::Any || address.isIPv4() == (family == AddressFamily::IPv4);
}

const char* nameOf(AddressFamily family) {
    switch (family) {
    case AddressFamily::IPv4:
        return "IPv4 address";
    case AddressFamily::IPv6:
        return "IPv6 address";
    case AddressFamily::Any:
        break;
    }
    return "address";
}

/// A look-up for a Deferred. Lives until finish(), by what waits for it; each of them is let go there.
class PendingQuery {
public:
    explicit PendingQuery(NameQuery query) : query_(std::move(query)) {}

    static Deferred<NameEntry> begin(const std::shared_ptr<PendingQuery>& self, Reactor& reactor, milliseconds timeout,
                                     const std::source_location& place) {
        Promise<NameEntry>& promise = self->promise_.emplace(place);
        Deferred<NameEntry> deferred = promise.deferred();
        promise.onCancel([self] { self->finish(Failure::of<CancelledError>()); });
        self->pending_ = reactor.keepPending([self] {
            self->finish(Failure::of<CancelledError>("The reactor was destroyed before the look-up ended."));
        });
        if (timeout.count() != 0) {
            self->timer_ = reactor.callLater(timeout, [self, timeout] {
                self->finish(self->query_.failed(fmt::format("no answer within {} ms", timeout.count())));
            });
        }
        try {
            self->lookup_ = reactor.resolver().lookUp(self->query_, [self](NameEntry entry, const Failure& failure) {
                if (failure)
                    self->finish(failure);
                else
                    self->finish(std::move(entry));
            });
        } catch (...) { // a resolver that does not know such questions, or is broken
            self->finish(Failure::current());
        }
        return deferred;
    }

private:
    void finish(Result<NameEntry> result) {
        if (!promise_)
            return;
        Promise<NameEntry> promise = std::move(*promise_);
        promise_.reset();
        // What is let go holds this object, and may be what calls.
        const std::unique_ptr<Resolver::Lookup> lookup = std::move(lookup_);
        const PendingOperation pending = std::move(pending_);
        timer_ = {};
        promise.fire(std::move(result));
    }

    NameQuery query_;
    std::optional<Promise<NameEntry>> promise_;
    std::unique_ptr<Resolver::Lookup> lookup_;
    PendingOperation pending_;
    ScopedCall timer_;
};

/// @param caller the function's name, for what it throws.
Deferred<NameEntry> ask(Reactor& reactor, const char* caller, NameQuery query, milliseconds timeout,
                        const std::source_location& place) {
    if (timeout.count() < 0)
        throw std::invalid_argument(fmt::format("{}: timeout is negative", caller));
    return PendingQuery::begin(std::make_shared<PendingQuery>(std::move(query)), reactor, timeout, place);
}

void requireName(const char* caller, const char* what, std::string_view name) {
    if (name.empty())
        throw std::invalid_argument(fmt::format("{}: the {} is empty", caller, what));
}

void requireNumber(const char* caller, const char* what, int number, int most) {
    if (number < 0 || number > most)
        throw std::invalid_argument(fmt::format("{}: {} {} is not 0..{}", caller, what, number, most));
}

Failure wrongFamily(std::string_view host, AddressFamily family) {
    return Failure::of<DNSLookupError>(fmt::format("looking up {}: it is no {}", host, nameOf(family)));
}

HostEntry asHost(NameEntry entry) {
    return {std::move(entry.name), std::move(entry.aliases), std::move(entry.addresses)};
}

ServiceEntry asService(NameEntry entry) {
    return {std::move(entry.name), std::move(entry.aliases), static_cast<std::uint16_t>(entry.number),
            std::move(entry.protocol)};
}

ProtocolEntry asProtocol(NameEntry entry) {
    return {std::move(entry.name), std::move(entry.aliases), entry.number};
}

/// The names of the machine that has one of the addresses; the first of them with a dot.
Deferred<std::string> qualify(Reactor& reactor, const Address& address, const std::source_location& place) {
    return getHostByAddr(reactor, address, {.timeout = milliseconds(0)}, place).addCallback([](const HostEntry& host) {
        if (host.name.find('.') != std::string::npos)
            return host.name;
        const auto qualified = std::find_if(host.aliases.begin(), host.aliases.end(),
                                            [](const auto& each) { return each.find('.') != std::string::npos; });
        return qualified != host.aliases.end() ? *qualified : host.name;
    });
}

} // namespace

Deferred<std::vector<Address>> resolve(Reactor& reactor, std::string_view host, int port, const ResolveOptions& options,
                                       std::source_location place) {
    requireName("resolve", "host", host);
    requireNumber("resolve", "port", port, 65535);
    if (const std::optional<Address> literal = Address::tryParse(host, port)) {
        if (!fits(*literal, options.family))
            return Deferred<std::vector<Address>>::fail(wrongFamily(host, options.family), place);
        return Deferred<std::vector<Address>>::succeed(std::vector<Address>{*literal}, place);
    }
    NameQuery query{.kind = Kind::Addresses, .name = std::string(host), .family = options.family};
    const Failure none = query.failed(fmt::format("no {}", nameOf(options.family)));
    return ask(reactor, "resolve", std::move(query), options.timeout, place)
        .addCallback([port, none](NameEntry entry) -> Result<std::vector<Address>> {
            if (entry.addresses.empty())
                return none;
            for (Address& each : entry.addresses)
                each = each.withPort(port);
            return std::move(entry.addresses);
        });
}

Deferred<Address> getHostByName(Reactor& reactor, std::string_view host, const ResolveOptions& options,
                                std::source_location place) {
    return resolve(reactor, host, 0, options, place).addCallback([](std::vector<Address> addresses) {
        return addresses.front();
    });
}

Deferred<HostEntry> getHostByNameEx(Reactor& reactor, std::string_view host, const ResolveOptions& options,
                                    std::source_location place) {
    requireName("getHostByNameEx", "host", host);
    if (const std::optional<Address> literal = Address::tryParse(host, 0)) {
        if (!fits(*literal, options.family))
            return Deferred<HostEntry>::fail(wrongFamily(host, options.family), place);
        return Deferred<HostEntry>::succeed(HostEntry{std::string(host), {}, {*literal}}, place);
    }
    NameQuery query{.kind = Kind::HostByName, .name = std::string(host), .family = options.family};
    return ask(reactor, "getHostByNameEx", std::move(query), options.timeout, place).addCallback(&asHost);
}

Deferred<HostEntry> getHostByAddr(Reactor& reactor, const Address& address, const NameOptions& options,
                                  std::source_location place) {
    if (!address.isIPv4() && !address.isIPv6()) {
        throw InvalidAddressError(
            fmt::format("getHostByAddr: '{}' is neither an IPv4 nor an IPv6 address", address.toString()));
    }
    NameQuery query{.kind = Kind::HostByAddress, .address = address.withPort(0)};
    return ask(reactor, "getHostByAddr", std::move(query), options.timeout, place).addCallback(&asHost);
}

Deferred<HostEntry> getHostByAddr(Reactor& reactor, std::string_view address, const NameOptions& options,
                                  std::source_location place) {
    return getHostByAddr(reactor, Address::parse(address, 0), options, place);
}

std::string getHostName() {
    char name[HOST_NAME_MAX + 1] = {};
    if (::gethostname(name, sizeof name - 1) != 0)
        throw std::system_error(errno, std::generic_category(), "gethostname");
    return name;
}

// One time limit for both look-ups; the outer Deferred's. Without a name as good as nothing was given.
Deferred<std::string> getFQDN(Reactor& reactor, std::string_view host, const NameOptions& options,
                              std::source_location place) {
    const bool isOurs = host.empty() || host == "0.0.0.0" || host == "::";
    const std::string name = isOurs ? getHostName() : std::string(host);
    if (options.timeout.count() < 0)
        throw std::invalid_argument("getFQDN: timeout is negative");
    Deferred<std::string> look = resolve(reactor, name, 0, {.timeout = milliseconds(0)}, place)
                                     .addCallback([&reactor, place](const std::vector<Address>& all) {
                                         return qualify(reactor, all.front(), place);
                                     });
    if (options.timeout.count() != 0)
        look = std::move(look).addTimeout(options.timeout, reactor);
    return std::move(look).addErrback([name](const Failure& failure) -> Result<std::string> {
        if (failure.check<CancelledError>())
            return failure;
        return name;
    });
}

Deferred<ServiceEntry> getServiceByName(Reactor& reactor, std::string_view service, std::string_view protocol,
                                        const NameOptions& options, std::source_location place) {
    requireName("getServiceByName", "service", service);
    NameQuery query{.kind = Kind::ServiceByName, .name = std::string(service), .protocol = std::string(protocol)};
    return ask(reactor, "getServiceByName", std::move(query), options.timeout, place).addCallback(&asService);
}

Deferred<ServiceEntry> getServiceByPort(Reactor& reactor, int port, std::string_view protocol,
                                        const NameOptions& options, std::source_location place) {
    requireNumber("getServiceByPort", "port", port, 65535);
    NameQuery query{.kind = Kind::ServiceByPort, .number = port, .protocol = std::string(protocol)};
    return ask(reactor, "getServiceByPort", std::move(query), options.timeout, place).addCallback(&asService);
}

Deferred<ProtocolEntry> getProtocolByName(Reactor& reactor, std::string_view protocol, const NameOptions& options,
                                          std::source_location place) {
    requireName("getProtocolByName", "protocol", protocol);
    NameQuery query{.kind = Kind::ProtocolByName, .name = std::string(protocol)};
    return ask(reactor, "getProtocolByName", std::move(query), options.timeout, place).addCallback(&asProtocol);
}

Deferred<ProtocolEntry> getProtocolByNumber(Reactor& reactor, int number, const NameOptions& options,
                                            std::source_location place) {
    requireNumber("getProtocolByNumber", "number", number, 255);
    NameQuery query{.kind = Kind::ProtocolByNumber, .number = number};
    return ask(reactor, "getProtocolByNumber", std::move(query), options.timeout, place).addCallback(&asProtocol);
}

std::string inetPton(AddressFamily family, std::string_view address) {
    const Address parsed = Address::parse(address, 0);
    if (parsed.scopeId() != 0)
        throw InvalidAddressError(fmt::format("'{}' has a scope, which is not packed", address));
    if (!fits(parsed, family))
        throw InvalidAddressError(fmt::format("'{}' is no {}", address, nameOf(family)));
    return parsed.packed();
}

std::string inetNtop(AddressFamily family, std::string_view packed) {
    const Address address = Address::fromPacked(packed);
    if (!fits(address, family))
        throw InvalidAddressError(fmt::format("{} bytes are no {}", packed.size(), nameOf(family)));
    return address.host();
}

} // namespace torsion
