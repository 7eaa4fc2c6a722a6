#include <reactor/testing/script_resolver.hpp>

#include <reactor/errors.hpp>

#include <algorithm>
#include <utility>

namespace torsion::testing {

namespace {

using Kind = NameQuery::Kind;

class ScriptLookup final : public Resolver::Lookup {
public:
    ScopedCall answer;
};

bool isCalled(const NameEntry& entry, const std::string& name) {
    return entry.name == name || std::find(entry.aliases.begin(), entry.aliases.end(), name) != entry.aliases.end();
}

bool fits(const NameQuery& query, const NameEntry& entry) {
    if (!query.protocol.empty() && query.protocol != entry.protocol)
        return false;
    const bool byName = query.kind == Kind::ServiceByName || query.kind == Kind::ProtocolByName;
    return byName ? isCalled(entry, query.name) : entry.number == query.number;
}

} // namespace

ScriptResolver::ScriptResolver(torsion::Clock& clock) : clock_(clock) {
    setAddresses("localhost", {"127.0.0.1", "::1"});
}

ScriptResolver::Script& ScriptResolver::script(std::string_view name) {
    if (std::find(order_.begin(), order_.end(), name) == order_.end())
        order_.emplace_back(name);
    return hosts_[std::string(name)] = {};
}

void ScriptResolver::setAddresses(std::string_view name, const std::vector<std::string>& addresses, Duration delay) {
    setHost(name, {.addresses = addresses, .delay = delay});
}

void ScriptResolver::setHost(std::string_view name, const Host& host) {
    NameEntry entry{.name = std::string(name), .aliases = host.aliases, .timeToLive = host.timeToLive};
    for (const std::string& address : host.addresses)
        entry.addresses.push_back(Address::parse(address, 0)); // throws what is wrong
    Script& told = script(name);
    told.entry = std::move(entry);
    told.delay = host.delay;
}

void ScriptResolver::setFailure(std::string_view name, const Failure& failure, Duration delay) {
    Script& told = script(name);
    told.failure = failure;
    told.delay = delay;
}

void ScriptResolver::setSilent(std::string_view name) {
    script(name).silent = true;
}

void ScriptResolver::setService(std::string_view name, std::uint16_t port, std::string_view protocol,
                                const std::vector<std::string>& aliases) {
    services_.push_back(
        {.name = std::string(name), .aliases = aliases, .number = port, .protocol = std::string(protocol)});
}

void ScriptResolver::setProtocol(std::string_view name, int number, const std::vector<std::string>& aliases) {
    protocols_.push_back({.name = std::string(name), .aliases = aliases, .number = number});
}

ScriptResolver::Script ScriptResolver::findHost(const NameQuery& query) const {
    for (const std::string& name : order_) {
        const Script& told = hosts_.find(name)->second;
        const std::vector<Address>& addresses = told.entry.addresses;
        if (query.kind == Kind::HostByAddress) {
            const Address wanted = query.address.withPort(0);
            if (std::find(addresses.begin(), addresses.end(), wanted) == addresses.end())
                continue;
            Script found = told;
            found.entry.addresses = {wanted};
            return found;
        }
        if (name != query.name && !isCalled(told.entry, query.name))
            continue;
        Script found = told;
        std::erase_if(found.entry.addresses, [&](const Address& each) {
            return query.family != AddressFamily::Any && each.isIPv4() != (query.family == AddressFamily::IPv4);
        });
        if (found.entry.addresses.empty() && !found.failure && !found.silent)
            found.failure = query.failed("no address");
        return found;
    }
    return {{}, query.failed("not known")};
}

ScriptResolver::Script ScriptResolver::find(const NameQuery& query) const {
    if (query.kind <= Kind::HostByAddress)
        return findHost(query);
    const bool isService = query.kind == Kind::ServiceByName || query.kind == Kind::ServiceByPort;
    const std::vector<NameEntry>& entries = isService ? services_ : protocols_;
    const auto found =
        std::find_if(entries.begin(), entries.end(), [&](const auto& each) { return fits(query, each); });
    if (found == entries.end())
        return {{}, query.failed("not known")};
    return {*found, {}};
}

std::unique_ptr<Resolver::Lookup> ScriptResolver::lookUp(const NameQuery& query, EntryCallback callback) {
    queries_.push_back(query);
    if (query.kind <= Kind::HostByName)
        asked_.push_back(query.name);
    auto lookup = std::make_unique<ScriptLookup>();
    Script told = find(query);
    if (told.silent)
        return lookup;
    lookup->answer = clock_.callLater(told.delay, [answer = std::move(callback), entry = std::move(told.entry),
                                                   failure = std::move(told.failure)]() mutable {
        EntryCallback call = std::move(answer); // it may destroy the look-up, and so this closure
        const Failure why = failure;
        if (why)
            call({.timeToLive = entry.timeToLive}, why);
        else
            call(std::move(entry), why);
    });
    return lookup;
}

std::uint16_t ScriptResolver::getServicePort(const std::string& service, const std::string& protocol) {
    const Script told = find({.kind = Kind::ServiceByName, .name = service, .protocol = protocol});
    if (told.failure)
        told.failure.raise();
    return static_cast<std::uint16_t>(told.entry.number);
}

} // namespace torsion::testing
