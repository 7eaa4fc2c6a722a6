#pragma once

#include <reactor/clock.hpp>
#include <reactor/failure.hpp>
#include <reactor/resolver.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace torsion::testing {

/// Knows the names that a test tells it, and nothing else: the Resolver of a MemoryReactor. "localhost" is known from
/// the beginning, as 127.0.0.1 and ::1. Where two names have an address, the first that was told is its name.
///
/// Answers come from a delayed call of the clock, so in a later phase, as the contract asks. The clock outlives it.
class ScriptResolver final : public NameResolver {
public:
    explicit ScriptResolver(torsion::Clock& clock);

    /// What a name is called besides, and how long that holds.
    struct Host {
        std::vector<std::string> addresses{}; ///< numeric, in the order of preference
        std::vector<std::string> aliases{};
        std::optional<std::chrono::seconds> timeToLive{};
        Duration delay{}; ///< until the answer
    };

    /// `name` has these addresses, in the order of preference.
    /// @param addresses numeric. Throws InvalidAddressError.
    /// @param delay until the answer.
    void setAddresses(std::string_view name, const std::vector<std::string>& addresses, Duration delay = {});

    /// As setAddresses, with all that there is to know.
    void setHost(std::string_view name, const Host& host);

    /// Looking `name` up fails after `delay`.
    void setFailure(std::string_view name, const Failure& failure, Duration delay = {});

    /// Looking `name` up never ends.
    void setSilent(std::string_view name);

    /// There is a service of that name and those aliases.
    void setService(std::string_view name, std::uint16_t port, std::string_view protocol,
                    const std::vector<std::string>& aliases = {});

    /// There is a protocol of that name and number.
    void setProtocol(std::string_view name, int number, const std::vector<std::string>& aliases = {});

    /// Names of hosts that were looked up so far, in order.
    const std::vector<std::string>& asked() const noexcept { return asked_; }

    /// All that was asked so far, in order.
    const std::vector<NameQuery>& queries() const noexcept { return queries_; }

    std::unique_ptr<Lookup> lookUp(const NameQuery& query, EntryCallback callback) override;
    std::uint16_t getServicePort(const std::string& service, const std::string& protocol) override;

private:
    struct Script {
        NameEntry entry;
        Failure failure;
        Duration delay{};
        bool silent = false;
    };

    Script& script(std::string_view name);
    Script find(const NameQuery& query) const;
    Script findHost(const NameQuery& query) const;

    torsion::Clock& clock_; // not the test clock of this namespace
    std::map<std::string, Script, std::less<>> hosts_;
    std::vector<std::string> order_; // of the hosts, as they were told first
    std::vector<NameEntry> services_;
    std::vector<NameEntry> protocols_;
    std::vector<std::string> asked_;
    std::vector<NameQuery> queries_;
};

} // namespace torsion::testing
