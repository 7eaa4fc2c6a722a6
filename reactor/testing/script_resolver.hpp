#pragma once

#include <reactor/clock.hpp>
#include <reactor/failure.hpp>
#include <reactor/resolver.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace torsion::testing {

/// Knows the names that a test tells it, and nothing else: the Resolver of a MemoryReactor. "localhost" is known from
/// the beginning, as 127.0.0.1 and ::1.
///
/// Answers come from a delayed call of the clock, so in a later phase, as the contract asks. The clock outlives it.
class ScriptResolver final : public Resolver {
public:
    explicit ScriptResolver(Clock& clock);

    /// `name` has these addresses, in the order of preference.
    /// @param addresses numeric. Throws InvalidAddressError.
    /// @param delay until the answer.
    void setAddresses(std::string_view name, const std::vector<std::string>& addresses, Duration delay = {});

    /// Looking `name` up fails after `delay`.
    void setFailure(std::string_view name, const Failure& failure, Duration delay = {});

    /// Looking `name` up never ends.
    void setSilent(std::string_view name);

    /// Look-ups begun so far, by name, in order.
    const std::vector<std::string>& asked() const noexcept { return asked_; }

    std::unique_ptr<Lookup> resolve(const std::string& host, std::uint16_t port, Callback callback) override;

private:
    struct Entry {
        std::vector<std::string> addresses;
        Failure failure;
        Duration delay{};
        bool silent = false;
    };

    Clock& clock_;
    std::map<std::string, Entry, std::less<>> entries_;
    std::vector<std::string> asked_;
};

} // namespace torsion::testing
