#pragma once

#include <reactor/failure.hpp>
#include <reactor/resolver.hpp>

#include <string_view>

struct ares_addrinfo;
struct hostent;

/// What c-ares answers, as a Resolver's entries and failures.
namespace torsion::cares {

struct Answer {
    NameEntry entry;
    Failure failure;
};

/// A failure that will be the same the next time.
Answer failed(const NameQuery& query, std::string_view why);

/// One that may pass.
Answer failedNow(const NameQuery& query, std::string_view why);

/// AF_INET, AF_INET6, or AF_UNSPEC.
int familyOf(AddressFamily family) noexcept;

/// @param status c-ares'
/// @param result null unless the status is success
Answer answerOf(const NameQuery& query, int status, const ares_addrinfo* result);
Answer answerOf(const NameQuery& query, int status, const hostent* host);

} // namespace torsion::cares
