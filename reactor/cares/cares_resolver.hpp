#pragma once

#include <reactor/resolver.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>

namespace torsion {

class UvReactor;

/// How a CaresResolver asks.
struct CaresOptions {
    /// Name servers, "192.0.2.53,[2001:db8::53]:5353"; "" for those of the system (resolv.conf).
    std::string_view servers{};

    /// Until a server that does not answer is given up for the first time; longer with each round.
    std::chrono::milliseconds tryTimeout{2000};

    /// Rounds over the servers.
    int tries = 3;

    /// Whether the hosts file is asked, before the servers.
    bool useHostsFile = true;

    /// Whether a name is tried with the system's search domains, too.
    bool useSearchDomains = true;
};
static_assert(std::is_trivially_destructible_v<CaresOptions>);

/// Asks name servers without any thread, by c-ares: its sockets are watched by the reactor, its time-outs are the
/// reactor's calls. Knows hosts files and DNS, and none of the system's other name services. There where the library
/// was built with c-ares (Meson's `cares`).
///
///     reactor.setResolver(std::make_unique<CaresResolver>(reactor));
///
/// Addresses come in the order of RFC 6724, with the least time to live of their records. Where nothing is left to wait
/// for, sockets are closed. The hosts file is read on the reactor's thread, with every look-up; what it knows has no
/// time to live. Services and protocols are looked up in the system's lists, on a thread, as a ThreadResolver does.
/// What a callback throws is logged. Owned by the reactor; its thread. Look-ups under way end with the reactor,
/// unanswered.
class CaresResolver final : public NameResolver {
public:
    /// Look-ups at once; more fail with DNSLookupError. One that was abandoned counts until its servers are given up,
    /// or nobody waits for anything any more.
    static constexpr std::size_t kMaxUnderWay = 1024;

    /// Throws std::invalid_argument for servers that are none (naming them), tryTimeout or tries below 1;
    /// std::runtime_error when c-ares cannot begin.
    explicit CaresResolver(UvReactor& reactor, const CaresOptions& options = {});
    ~CaresResolver() override;

    /// Throws ReactorNotRunning at the end of the reactor's destruction.
    [[nodiscard]] std::unique_ptr<Lookup> lookUp(const NameQuery& query, EntryCallback callback) override;

private:
    class Channel;
    class PendingLookup;
    struct Query;
    using Queries = std::list<std::shared_ptr<Query>>;
    struct Watch;

    std::shared_ptr<Channel> channel_; // shared with the look-ups
    std::unique_ptr<Resolver> system_; // for services and protocols
};

} // namespace torsion
