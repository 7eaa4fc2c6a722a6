#pragma once

#include "support/dns_server.hpp"
#include "support/run_until.hpp"

#include <reactor/cares/cares_resolver.hpp>
#include <reactor/failure.hpp>
#include <reactor/libuv/uv_reactor.hpp>
#include <reactor/resolver.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

/// What the cases of the CaresResolver share.
namespace torsion::test::cares {

using namespace std::chrono_literals;

using Lookup = std::unique_ptr<Resolver::Lookup>;

/// Asks the case's server alone, and gives it up for the first time after `tryTimeout`.
inline CaresOptions asking(const std::string& servers, std::chrono::milliseconds tryTimeout = 10s) {
    return {.servers = servers, .tryTimeout = tryTimeout, .tries = 2, .useHostsFile = false, .useSearchDomains = false};
}

/// A reactor, a name server, and a resolver that asks it.
struct Scene {
    explicit Scene(std::chrono::milliseconds tryTimeout = 10s, const ReactorOptions& options = {})
        : reactor(std::in_place, options), servers(server.name()) {
        resolver = std::make_unique<CaresResolver>(*reactor, asking(servers, tryTimeout));
        server.addAddress("www.example.org", "127.0.0.1", 300);
        server.addAddress("www.example.org", "127.0.0.2", 200);
        server.addAddress("www.example.org", "::1", 100);
    }

    struct Answer {
        NameEntry entry;
        Failure failure;
    };

    Lookup lookUp(const NameQuery& query) {
        return resolver->lookUp(query, [this](NameEntry entry, const Failure& failure) {
            answers.push_back({std::move(entry), failure});
        });
    }

    bool runUntilAnswered(std::size_t count) {
        return runUntil(*reactor, [&] {
            server.serve();
            return answers.size() >= count;
        });
    }

    Answer answerTo(const NameQuery& query) {
        const std::size_t count = answers.size() + 1;
        const Lookup lookup = lookUp(query);
        CHECK(answers.size() < count); // never inside
        REQUIRE(runUntilAnswered(count));
        return answers.back();
    }

    DnsServer server;
    std::optional<UvReactor> reactor;
    std::string servers;
    std::unique_ptr<CaresResolver> resolver;
    std::vector<Answer> answers;
};

inline std::vector<std::string> hostsOf(const NameEntry& entry) {
    std::vector<std::string> hosts;
    for (const Address& each : entry.addresses)
        hosts.push_back(each.toString());
    std::sort(hosts.begin(), hosts.end()); // RFC 6724 depends on the machine
    return hosts;
}

using Strings = std::vector<std::string>;

} // namespace torsion::test::cares
