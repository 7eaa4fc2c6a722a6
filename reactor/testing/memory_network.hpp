#pragma once

#include <reactor/function.hpp>
#include <reactor/random.hpp>
#include <reactor/time_point.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace torsion::testing {

class MemoryReactor;

namespace detail {
class PortTable;
}

/// How connections of a MemoryNetwork move their bytes. Holds for all of them, from the moment it is set.
struct MemoryLimits {
    static constexpr std::size_t kUnlimited = std::numeric_limits<std::size_t>::max();

    std::size_t capacity = 64 * 1024;    ///< bytes under way in each direction; half of them acknowledged unread
    std::size_t maxSend = kUnlimited;    ///< bytes that one send takes at most
    std::size_t maxReceive = 64 * 1024;  ///< bytes that one receive brings at most
    std::optional<std::uint64_t> cuts{}; ///< a seed: each send and receive moves a random part of what it could
};

/// Makes MemoryLimits under which every send and receive moves one byte.
inline MemoryLimits byteByByte() {
    return {.maxSend = 1, .maxReceive = 1};
}

/// A network that exists in memory alone: loopback addresses of both families, listening ports, connections, and a
/// clock that moves only when a test moves it. Several MemoryReactors may share one; all of them on one thread.
///
/// It behaves as Linux' loopback does: connecting succeeds before the other side accepts, up to the backlog; connecting
/// to a port where nobody listens is refused; closing with unread input, and aborting, reset the connection; what the
/// receiver has acknowledged (half of `capacity`) can still be read after a reset, the rest is lost. Bytes arrive in
/// the next turn, always in order. There is no other latency.
///
/// Held by its reactors and by whoever made it.
class MemoryNetwork {
public:
    /// What becomes of attempts to reach a host.
    enum class Route {
        Up,          ///< it is one of ours: one can listen and connect there
        Unreachable, ///< ENETUNREACH; every host but the loopback ones, unless told otherwise
        Silent,      ///< no answer comes, ever
    };

    explicit MemoryNetwork(const MemoryLimits& limits = {});
    MemoryNetwork(const MemoryNetwork&) = delete;
    MemoryNetwork& operator=(const MemoryNetwork&) = delete;
    ~MemoryNetwork();

    /// @throws std::invalid_argument when a limit is 0.
    void setLimits(const MemoryLimits& limits);
    const MemoryLimits& limits() const noexcept { return limits_; }

    /// @param host a numeric address. Throws InvalidAddressError.
    void setRoute(std::string_view host, Route route);
    Route route(std::string_view host) const;

    /// @name Time
    /// @{

    TimePoint now() const noexcept { return now_; }

    /// Runs turns of all reactors, in the order of their creation, until none has anything to do at this time.
    /// @throws std::runtime_error after `kMaxTurns` turns: something never comes to rest.
    void settle();

    /// Lets `span` pass: stops at each time at which a call is due, and settles there and at the end; waits there for
    /// the thread pools, too.
    /// @throws std::invalid_argument when it is negative; std::runtime_error as `settle()`.
    void advance(Duration span);

    /// Runs turns until `condition()` holds; when there is nothing else to do, not for the thread pools either, time
    /// jumps to the next delayed call.
    /// @param limit how much time may pass on the network's clock.
    /// @returns false when the time is over, or when nothing is left that could happen.
    /// @throws std::runtime_error as `settle()`.
    [[nodiscard]] bool runUntil(CallableRef<bool()> condition, Duration limit = std::chrono::hours(1));
    /// @}

    /// Turns that `settle`, `advance` and `runUntil` take at most.
    static constexpr int kMaxTurns = 10'000'000;

    /// @name For reactors
    /// @{
    void join(MemoryReactor& reactor);
    void leave(MemoryReactor& reactor) noexcept;

    /// Moves the clock to `time`, if that is later, and runs nothing.
    void moveTo(TimePoint time) noexcept { now_ = now_ < time ? time : now_; }

    /// When the next delayed call of any reactor is due.
    std::optional<TimePoint> nextEvent() const;

    /// One turn of each reactor that has something to do and is not in one; of all but `except`.
    /// @returns whether there was one.
    bool turnAll(const MemoryReactor* except = nullptr);

    /// Waits for the thread pools of the reactors that are not in a turn, and of `running`: before time goes on.
    /// @returns whether one of these has something to do now.
    bool waitForPools(const MemoryReactor* running = nullptr);

    /// How many of `possible` bytes (not 0) one operation moves, of which `limit` are allowed.
    std::size_t cut(std::size_t possible, std::size_t limit);

    const std::shared_ptr<detail::PortTable>& ports() const noexcept { return ports_; }
    /// @}

private:
    void rest();

    MemoryLimits limits_;
    std::optional<SeededRandom> cuts_;
    std::map<std::string, Route, std::less<>> routes_;
    std::shared_ptr<detail::PortTable> ports_;
    std::vector<MemoryReactor*> reactors_;
    TimePoint now_;
};

} // namespace torsion::testing
