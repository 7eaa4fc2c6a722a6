#pragma once

#include <reactor/failure.hpp>
#include <reactor/resolver.hpp>

namespace torsion::detail {

/// An entry, or why there is none.
struct NameAnswer {
    NameEntry entry;
    Failure failure;
};

/// Asks the system's name services (getaddrinfo and the functions of <netdb.h>), taking their time. Any thread.
///
/// The failure names what was looked up and says what the system says; its time to live is 0 where trying again may
/// help. Addresses are those that the system knows, also of a family that no interface has: an attempt to connect finds
/// that out at once, and `localhost` has both even where the machine has but one.
NameAnswer querySystem(const NameQuery& query);

} // namespace torsion::detail
