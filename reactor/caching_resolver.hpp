#pragma once

#include <reactor/clock.hpp>
#include <reactor/resolver.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>

namespace torsion {

class Reactor;

/// What a CachingResolver keeps, and for how long.
struct CacheOptions {
    /// Answers and failures together; beyond it the one that was used longest ago is forgotten. At least 1.
    std::size_t maxEntries = 1024;

    /// Of an answer whose resolver does not say how long it holds, as the system's does not.
    std::chrono::seconds timeToLive{60};

    /// Of any answer, whatever the resolver says.
    std::chrono::seconds maxTimeToLive{3600};

    /// Of a failure, unless the resolver says that it may pass; 0 for none.
    std::chrono::seconds negativeTimeToLive{5};

    /// How long others may join a look-up that is under way; whoever comes later asks anew, so that one that hangs does
    /// not keep a name from being answered. 0: none is joined.
    std::chrono::seconds joinTime{10};
};
static_assert(std::is_trivially_destructible_v<CacheOptions>);

/// What a CachingResolver did since it was made, and holds now.
struct CacheStats {
    std::uint64_t hits = 0;   ///< look-ups that were answered from the cache
    std::uint64_t joined = 0; ///< look-ups that waited for one under way
    std::uint64_t misses = 0; ///< look-ups of the resolver behind it
    std::size_t entries = 0;  ///< now
    std::size_t underWay = 0; ///< now: look-ups of the resolver behind it
};

/// Remembers what another resolver answered. Look-ups of the same kind that come while one is under way wait for that
/// one, unless it takes too long; abandoning one of them does not disturb the others, and abandoning the last abandons
/// the look-up behind them.
///
///     CachingResolver::install(reactor);
///
/// Answers to `connectTCP` with different ports are one. An answer counts from when it came, by `clock`, and is given
/// with what is left of its time. How many
/// look-ups are under way at once is limited by the resolver behind, and those who wait are limited by nothing but
/// themselves. Owned by the reactor; its thread.
class CachingResolver final : public NameResolver {
public:
    /// @param clock outlives this object, as a reactor does the resolver that it owns.
    /// Throws std::invalid_argument when `resolver` is null, maxEntries is 0, or a time is negative.
    CachingResolver(Clock& clock, std::unique_ptr<Resolver> resolver, const CacheOptions& options = {});
    ~CachingResolver() override;

    /// Puts a cache before the resolver that the reactor has.
    /// @returns the cache, which is the reactor's. Throws as the constructor does.
    static CachingResolver& install(Reactor& reactor, const CacheOptions& options = {});

    [[nodiscard]] std::unique_ptr<Lookup> lookUp(const NameQuery& query, EntryCallback callback) override;

    /// That of the resolver behind; nothing is remembered.
    std::uint16_t getServicePort(const std::string& service, const std::string& protocol) override;

    /// Forgets all answers. Look-ups under way go on, and what they bring is remembered.
    void clear() noexcept;

    CacheStats stats() const noexcept;

private:
    struct State;
    class Waiter;
    struct Pending;

    CachingResolver(Clock& clock, const CacheOptions& options);

    std::shared_ptr<State> state_; // shared with the look-ups, which may outlive this object
};

} // namespace torsion
