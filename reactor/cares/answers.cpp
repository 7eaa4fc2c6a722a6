#include <reactor/cares/answers.hpp>

#include <ares.h>
#include <netdb.h>

#include <algorithm>
#include <chrono>
#include <string>

namespace torsion::cares {

namespace {

Answer failureOf(const NameQuery& query, int status) {
    switch (status) {
    case ARES_ENOTFOUND:
    case ARES_ENODATA:
    case ARES_ENONAME:
    case ARES_EBADNAME:
    case ARES_EBADQUERY:
    case ARES_EBADFAMILY:
        return failed(query, ::ares_strerror(status));
    default:
        return failedNow(query, ::ares_strerror(status));
    }
}

void holdsFor(NameEntry& entry, int seconds) {
    const std::chrono::seconds time(std::max(seconds, 0));
    entry.timeToLive = std::min(entry.timeToLive.value_or(time), time);
}

} // namespace

Answer failed(const NameQuery& query, std::string_view why) {
    return {{}, query.failed(why)};
}

Answer failedNow(const NameQuery& query, std::string_view why) {
    return {{.timeToLive = std::chrono::seconds(0)}, query.failed(why)};
}

int familyOf(AddressFamily family) noexcept {
    switch (family) {
    case AddressFamily::IPv4:
        return AF_INET;
    case AddressFamily::IPv6:
        return AF_INET6;
    case AddressFamily::Any:
        break;
    }
    return AF_UNSPEC;
}

// Each CNAME leads from an alias to a name, the last one to the official name.
Answer answerOf(const NameQuery& query, int status, const ares_addrinfo* result) {
    if (status != ARES_SUCCESS || !result)
        return failureOf(query, status);
    Answer answer;
    NameEntry& entry = answer.entry;
    entry.name = result->name && *result->name ? result->name : query.name;
    for (const ares_addrinfo_cname* each = result->cnames; each; each = each->next) {
        if (each->alias && std::find(entry.aliases.begin(), entry.aliases.end(), each->alias) == entry.aliases.end())
            entry.aliases.emplace_back(each->alias);
        if (each->name)
            entry.name = each->name;
        holdsFor(entry, each->ttl);
    }
    for (const ares_addrinfo_node* each = result->nodes; each; each = each->ai_next) {
        const Address address = Address::fromSockaddr(each->ai_addr, static_cast<std::size_t>(each->ai_addrlen));
        if (!address.isIPv4() && !address.isIPv6())
            continue;
        entry.addresses.push_back(address);
        holdsFor(entry, each->ai_ttl);
    }
    return entry.addresses.empty() ? failed(query, "no address") : answer;
}

Answer answerOf(const NameQuery& query, int status, const hostent* host) {
    if (status != ARES_SUCCESS || !host)
        return failureOf(query, status);
    Answer answer;
    if (host->h_name)
        answer.entry.name = host->h_name;
    for (char** each = host->h_aliases; each && *each; ++each) {
        if (answer.entry.name != *each)
            answer.entry.aliases.emplace_back(*each);
    }
    for (char** each = host->h_addr_list; each && *each; ++each)
        answer.entry.addresses.push_back(Address::fromPacked({*each, static_cast<std::size_t>(host->h_length)}));
    return answer;
}

} // namespace torsion::cares
