#pragma once

#include <reactor/address.hpp>
#include <reactor/clock.hpp>
#include <reactor/core/channel.hpp>
#include <reactor/failure.hpp>
#include <reactor/function.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace torsion::core {

/// What a race of attempts needs from whoever runs it, and tells it.
class HappyEyeballsHost {
public:
    /// Begins one attempt; as `ReactorCore::beginConnecting`.
    virtual std::unique_ptr<Connecting> beginAttempt(const Address& address, ConnectEvents& events) = 0;

    /// Calls `f` after `delay`, as the reactor's own work.
    virtual DelayedCall callAfter(Duration delay, Function<void()> f) = 0;

    /// One attempt has succeeded, and all others are abandoned. May destroy the race.
    virtual void onRaceWon(ChannelPtr channel, const Address& address) = 0;

    /// Every attempt has failed. May destroy the race.
    /// @param failure the last attempt's kind and code; its message names every address and what became of it.
    virtual void onRaceLost(const Failure& failure) = 0;

protected:
    ~HappyEyeballsHost() = default;
};

/// The order in which addresses are tried (RFC 8305, section 4, with a First Address Family Count of 1): the first
/// address leads, then the families take turns as long as both last, each in the order given. Each address once.
std::vector<Address> interleaveFamilies(const std::vector<Address>& addresses);

/// Connects to whichever of several addresses answers first (RFC 8305, section 5): the next attempt begins when one
/// fails, or beside the pending ones when none has succeeded for `attemptDelay`; the first to succeed wins.
///
///     attempt 1  ──────────────────────────────✕ abandoned
///     attempt 2      (delay) ──✕ failed        │
///     attempt 3                └───────────────● won
///
/// Owned by its host; destroying it abandons what is pending and tells nothing. Not to be destroyed inside
/// `beginAttempt`. Reactor's thread.
class HappyEyeballs {
public:
    /// @param addresses one at least, in the order to be tried.
    /// @param destination what was asked for, for messages: "example.org:80".
    HappyEyeballs(HappyEyeballsHost& host, std::vector<Address> addresses, Duration attemptDelay,
                  std::string destination);
    HappyEyeballs(const HappyEyeballs&) = delete;
    HappyEyeballs& operator=(const HappyEyeballs&) = delete;
    ~HappyEyeballs();

    /// Begins the first attempt.
    void start() { beginNext(); }

private:
    struct Attempt;
    struct Failed {
        Address address;
        Failure failure;
    };

    void beginNext();
    void tellWon();
    void attemptSucceeded(Attempt& attempt, ChannelPtr channel);
    void attemptFailed(Attempt& attempt, const Failure& failure);
    Failure summary() const;

    HappyEyeballsHost& host_;
    std::vector<Address> addresses_;
    Duration attemptDelay_;
    std::string destination_;
    std::size_t next_ = 0; // of addresses_, to be tried
    std::vector<std::unique_ptr<Attempt>> pending_;
    std::vector<Failed> failed_; // in the order of failing
    ScopedCall delay_;
    int beginning_ = 0; // beginAttempt is on the stack
    std::optional<std::pair<ChannelPtr, Address>> won_;
};

} // namespace torsion::core
