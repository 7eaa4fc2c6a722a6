#pragma once

#include <reactor/address.hpp>
#include <reactor/function.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace torsion {

class Failure;

/// Turns a host's name into addresses. Replaceable: `Reactor::setResolver`.
class Resolver {
public:
    /// Called once, on the reactor's thread, never inside `resolve`: with addresses in the order of preference and an
    /// empty Failure, or with no addresses and DNSLookupError. The look-up may be destroyed inside it.
    using Callback = Function<void(std::vector<Address> addresses, const Failure& failure)>;

    /// A look-up under way; destroying it abandons the look-up: the callback is dropped, nothing is waited for.
    class Lookup {
    public:
        Lookup() = default;
        Lookup(const Lookup&) = delete;
        Lookup& operator=(const Lookup&) = delete;
        virtual ~Lookup();
    };

    Resolver() = default;
    Resolver(const Resolver&) = delete;
    Resolver& operator=(const Resolver&) = delete;
    virtual ~Resolver();

    /// @param host a name; numeric addresses never come here.
    /// @param port given to every address.
    [[nodiscard]] virtual std::unique_ptr<Lookup> resolve(const std::string& host, std::uint16_t port,
                                                          Callback callback) = 0;
};

} // namespace torsion
