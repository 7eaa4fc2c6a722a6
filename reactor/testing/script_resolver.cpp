#include <reactor/testing/script_resolver.hpp>

#include <reactor/errors.hpp>

#include <utility>

namespace torsion::testing {

namespace {

class ScriptLookup final : public Resolver::Lookup {
public:
    ScopedCall answer;
};

} // namespace

ScriptResolver::ScriptResolver(Clock& clock) : clock_(clock) {
    setAddresses("localhost", {"127.0.0.1", "::1"});
}

void ScriptResolver::setAddresses(std::string_view name, const std::vector<std::string>& addresses, Duration delay) {
    for (const std::string& address : addresses)
        static_cast<void>(Address::parse(address, 0)); // throws what is wrong
    entries_.insert_or_assign(std::string(name), Entry{.addresses = addresses, .failure = {}, .delay = delay});
}

void ScriptResolver::setFailure(std::string_view name, const Failure& failure, Duration delay) {
    entries_.insert_or_assign(std::string(name), Entry{.addresses = {}, .failure = failure, .delay = delay});
}

void ScriptResolver::setSilent(std::string_view name) {
    entries_.insert_or_assign(std::string(name), Entry{.addresses = {}, .failure = {}, .delay = {}, .silent = true});
}

std::unique_ptr<Resolver::Lookup> ScriptResolver::resolve(const std::string& host, std::uint16_t port,
                                                          Callback callback) {
    asked_.push_back(host);
    auto lookup = std::make_unique<ScriptLookup>();
    const auto found = entries_.find(host);
    const bool known = found != entries_.end();
    if (known && found->second.silent)
        return lookup;
    std::vector<Address> addresses;
    Failure failure;
    if (known) {
        failure = found->second.failure;
        for (const std::string& address : found->second.addresses)
            addresses.push_back(Address::parse(address, port));
    }
    if (!failure && addresses.empty())
        failure = Failure::of<DNSLookupError>("no address is known for " + host);
    lookup->answer = clock_.callLater(
        known ? found->second.delay : Duration::zero(),
        [answer = std::move(callback), addresses = std::move(addresses), failure = std::move(failure)]() mutable {
            Callback call = std::move(answer); // it may destroy the look-up, and so this closure
            const Failure why = failure;
            call(std::move(addresses), why);
        });
    return lookup;
}

} // namespace torsion::testing
