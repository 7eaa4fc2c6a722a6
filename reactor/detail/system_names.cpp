#include <reactor/detail/system_names.hpp>

#include <reactor/errors.hpp>

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace torsion::detail {

namespace {

using Kind = NameQuery::Kind;

// What the functions of <netdb.h> may need for their answer, in bytes.
constexpr std::size_t kFirstBuffer = 1024;
constexpr std::size_t kLastBuffer = 1024 * 1024;

NameAnswer failed(const NameQuery& query, std::string_view why, int code = 0) {
    return {{}, query.failed(why, code)};
}

/// One that may pass.
NameAnswer failedNow(const NameQuery& query, std::string_view why, int code = 0) {
    return {{.timeToLive = std::chrono::seconds(0)}, query.failed(why, code)};
}

/// Calls `f(entry, buffer, size, result)`, one of the *_r functions, with as much room as it needs.
/// @returns its error, 0 for none; `result` is null where nothing was found.
template <class Entry, class F>
int callWithRoom(std::vector<char>& buffer, Entry& entry, Entry*& result, F&& f) {
    for (std::size_t size = kFirstBuffer; size <= kLastBuffer; size *= 4) {
        buffer.resize(size);
        result = nullptr;
        const int error = f(&entry, buffer.data(), buffer.size(), &result);
        if (error != ERANGE)
            return error;
    }
    return ERANGE;
}

std::vector<std::string> listOf(char** names) {
    std::vector<std::string> list;
    for (; names && *names; ++names)
        list.emplace_back(*names);
    return list;
}

struct FreeAddresses {
    void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};

NameAnswer queryAddresses(const NameQuery& query) {
    addrinfo hints{};
    hints.ai_family = query.family == AddressFamily::IPv4   ? AF_INET
                      : query.family == AddressFamily::IPv6 ? AF_INET6
                                                            : AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* list = nullptr;
    const int error = ::getaddrinfo(query.name.c_str(), nullptr, &hints, &list);
    if (error == EAI_SYSTEM) {
        const int code = errno;
        return failedNow(query, describeErrno(code), code);
    }
    if (error == EAI_AGAIN || error == EAI_MEMORY)
        return failedNow(query, ::gai_strerror(error));
    if (error != 0)
        return failed(query, ::gai_strerror(error));
    const std::unique_ptr<addrinfo, FreeAddresses> owned(list);
    NameAnswer answer;
    for (const addrinfo* each = list; each; each = each->ai_next) {
        const Address address = Address::fromSockaddr(each->ai_addr, each->ai_addrlen);
        if (address.isIPv4() || address.isIPv6())
            answer.entry.addresses.push_back(address);
    }
    return answer.entry.addresses.empty() ? failed(query, "no address") : answer;
}

/// What gethostbyname2_r and gethostbyaddr_r give.
NameAnswer hostAnswer(const NameQuery& query, int error, int hostError, const hostent* host) {
    if (!host) {
        if (error == ERANGE || hostError == NETDB_INTERNAL)
            return failedNow(query, describeErrno(error), error);
        return hostError == TRY_AGAIN ? failedNow(query, ::hstrerror(hostError))
                                      : failed(query, ::hstrerror(hostError));
    }
    NameAnswer answer;
    answer.entry.name = host->h_name;
    answer.entry.aliases = listOf(host->h_aliases);
    for (char** each = host->h_addr_list; each && *each; ++each) {
        answer.entry.addresses.push_back(Address::fromPacked({*each, static_cast<std::size_t>(host->h_length)}));
    }
    return answer;
}

NameAnswer queryHostOfFamily(const NameQuery& query, int family) {
    std::vector<char> buffer;
    hostent host{};
    hostent* found = nullptr;
    int hostError = 0;
    const int error =
        callWithRoom(buffer, host, found, [&](hostent* entry, char* room, std::size_t size, hostent** result) {
            return ::gethostbyname2_r(query.name.c_str(), family, entry, room, size, result, &hostError);
        });
    return hostAnswer(query, error, hostError, found);
}

void addAlias(NameEntry& entry, const std::string& name) {
    const auto& known = entry.aliases;
    if (name != entry.name && std::find(known.begin(), known.end(), name) == known.end())
        entry.aliases.push_back(name);
}

// The function asks for one family: both are asked, and what either knows is the answer.
NameAnswer queryHostByName(const NameQuery& query) {
    if (query.family != AddressFamily::Any)
        return queryHostOfFamily(query, query.family == AddressFamily::IPv4 ? AF_INET : AF_INET6);
    NameAnswer answer = queryHostOfFamily(query, AF_INET);
    NameAnswer other = queryHostOfFamily(query, AF_INET6);
    if (answer.failure)
        return other.failure ? answer : other;
    if (other.failure)
        return answer;
    addAlias(answer.entry, other.entry.name);
    for (const std::string& name : other.entry.aliases)
        addAlias(answer.entry, name);
    for (const Address& each : other.entry.addresses)
        answer.entry.addresses.push_back(each);
    return answer;
}

NameAnswer queryHostByAddress(const NameQuery& query) {
    const std::string packed = query.address.packed();
    if (packed.empty())
        return failed(query, "neither an IPv4 nor an IPv6 address");
    std::vector<char> buffer;
    hostent host{};
    hostent* found = nullptr;
    int hostError = 0;
    const int error =
        callWithRoom(buffer, host, found, [&](hostent* entry, char* room, std::size_t size, hostent** result) {
            return ::gethostbyaddr_r(packed.data(), static_cast<socklen_t>(packed.size()),
                                     query.address.isIPv4() ? AF_INET : AF_INET6, entry, room, size, result,
                                     &hostError);
        });
    return hostAnswer(query, error, hostError, found);
}

NameAnswer queryService(const NameQuery& query) {
    std::vector<char> buffer;
    servent service{};
    servent* found = nullptr;
    const char* protocol = query.protocol.empty() ? nullptr : query.protocol.c_str();
    const int error =
        callWithRoom(buffer, service, found, [&](servent* entry, char* room, std::size_t size, servent** result) {
            if (query.kind == Kind::ServiceByName)
                return ::getservbyname_r(query.name.c_str(), protocol, entry, room, size, result);
            return ::getservbyport_r(htons(static_cast<std::uint16_t>(query.number)), protocol, entry, room, size,
                                     result);
        });
    if (!found)
        return error == 0 || error == ENOENT ? failed(query, "not known")
                                             : failedNow(query, describeErrno(error), error);
    NameAnswer answer;
    answer.entry.name = found->s_name;
    answer.entry.aliases = listOf(found->s_aliases);
    answer.entry.number = ntohs(static_cast<std::uint16_t>(found->s_port));
    answer.entry.protocol = found->s_proto;
    return answer;
}

NameAnswer queryProtocol(const NameQuery& query) {
    std::vector<char> buffer;
    protoent protocol{};
    protoent* found = nullptr;
    const int error =
        callWithRoom(buffer, protocol, found, [&](protoent* entry, char* room, std::size_t size, protoent** result) {
            if (query.kind == Kind::ProtocolByName)
                return ::getprotobyname_r(query.name.c_str(), entry, room, size, result);
            return ::getprotobynumber_r(query.number, entry, room, size, result);
        });
    if (!found)
        return error == 0 || error == ENOENT ? failed(query, "not known")
                                             : failedNow(query, describeErrno(error), error);
    NameAnswer answer;
    answer.entry.name = found->p_name;
    answer.entry.aliases = listOf(found->p_aliases);
    answer.entry.number = found->p_proto;
    return answer;
}

} // namespace

NameAnswer querySystem(const NameQuery& query) {
    // The system would stop reading there, and look up another name.
    if (query.name.find('\0') != std::string::npos || query.protocol.find('\0') != std::string::npos) {
        NameQuery readable = query;
        readable.name = query.name.c_str();
        readable.protocol = query.protocol.c_str();
        return failed(readable, "a zero byte in the name");
    }
    switch (query.kind) {
    case Kind::Addresses:
        return queryAddresses(query);
    case Kind::HostByName:
        return queryHostByName(query);
    case Kind::HostByAddress:
        return queryHostByAddress(query);
    case Kind::ServiceByName:
    case Kind::ServiceByPort:
        return queryService(query);
    case Kind::ProtocolByName:
    case Kind::ProtocolByNumber:
        return queryProtocol(query);
    }
    return failed(query, "an unknown kind of question");
}

} // namespace torsion::detail
