#include <reactor/names.hpp>

#include <reactor/errors.hpp>
#include <reactor/failure.hpp>
#include <reactor/reactor.hpp>
#include <reactor/resolver.hpp>

#include <spdlog/fmt/fmt.h>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

namespace torsion {

namespace {

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
class Query {
public:
    Query(std::string host, AddressFamily family) : host_(std::move(host)), family_(family) {}

    static Deferred<std::vector<Address>> begin(const std::shared_ptr<Query>& query, Reactor& reactor,
                                                std::uint16_t port, std::chrono::milliseconds timeout) {
        Promise<std::vector<Address>>& promise = query->promise_.emplace();
        Deferred<std::vector<Address>> deferred = promise.deferred();
        promise.onCancel([query] { query->finish(Failure::of<CancelledError>()); });
        query->pending_ = reactor.keepPending([query] {
            query->finish(Failure::of<CancelledError>("The reactor was destroyed before the look-up ended."));
        });
        if (timeout.count() != 0) {
            query->timer_ = reactor.callLater(
                timeout, [query, timeout] { query->fail(fmt::format("no answer within {} ms", timeout.count())); });
        }
        query->lookup_ = reactor.resolver().resolve(query->host_, port,
                                                    [query](std::vector<Address> addresses, const Failure& failure) {
                                                        query->answered(std::move(addresses), failure);
                                                    });
        return deferred;
    }

private:
    void answered(std::vector<Address> addresses, const Failure& failure) {
        if (failure) {
            finish(failure);
            return;
        }
        std::erase_if(addresses, [this](const Address& each) { return !fits(each, family_); });
        if (addresses.empty())
            fail(fmt::format("no {}", nameOf(family_)));
        else
            finish(std::move(addresses));
    }

    void fail(const std::string& why) {
        finish(Failure::of<DNSLookupError>(fmt::format("looking up {}: {}", host_, why)));
    }

    void finish(Result<std::vector<Address>> result) {
        if (!promise_)
            return;
        Promise<std::vector<Address>> promise = std::move(*promise_);
        promise_.reset();
        // What is let go holds this object, and may be what calls.
        const std::unique_ptr<Resolver::Lookup> lookup = std::move(lookup_);
        const PendingOperation pending = std::move(pending_);
        timer_ = {};
        promise.fire(std::move(result));
    }

    std::string host_;
    AddressFamily family_;
    std::optional<Promise<std::vector<Address>>> promise_;
    std::unique_ptr<Resolver::Lookup> lookup_;
    PendingOperation pending_;
    ScopedCall timer_;
};

} // namespace

Deferred<std::vector<Address>> resolve(Reactor& reactor, std::string_view host, int port,
                                       const ResolveOptions& options) {
    if (host.empty())
        throw std::invalid_argument("resolve: the host is empty");
    if (port < 0 || port > 65535)
        throw std::invalid_argument(fmt::format("resolve: port {} is not 0..65535", port));
    if (options.timeout.count() < 0)
        throw std::invalid_argument("resolve: timeout is negative");
    if (const std::optional<Address> literal = Address::tryParse(host, port)) {
        if (fits(*literal, options.family))
            return Deferred<std::vector<Address>>::succeed(std::vector<Address>{*literal});
        return Deferred<std::vector<Address>>::fail(
            Failure::of<DNSLookupError>(fmt::format("{} is no {}", host, nameOf(options.family))));
    }
    return Query::begin(std::make_shared<Query>(std::string(host), options.family), reactor,
                        static_cast<std::uint16_t>(port), options.timeout);
}

Deferred<Address> getHostByName(Reactor& reactor, std::string_view host, const ResolveOptions& options) {
    return resolve(reactor, host, 0, options).addCallback([](std::vector<Address> addresses) {
        return addresses.front();
    });
}

} // namespace torsion
