#pragma once

#include <reactor/failure.hpp>
#include <reactor/reactor.hpp>
#include <reactor/resolver.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace torsion {

/// The system's `getaddrinfo`, on threads of our own: slow look-ups keep nobody waiting but each other (in Twisted, and
/// with libuv's pool, they share threads with files and work: S-152, S-299).
///
/// The threads begin with the first look-ups and end with this object. Nothing waits for them: a look-up that hangs in
/// the system holds only what it shares with its thread, which may outlive the reactor. One that was abandoned while it
/// waited never begins; one that runs is ignored when it completes. Owned by the reactor; its thread.
class ThreadResolver final : public Resolver {
public:
    /// Look-ups at once.
    static constexpr std::size_t kThreads = 2;

    /// Look-ups that may wait for a thread; more fail with DNSLookupError.
    static constexpr std::size_t kMaxWaiting = 1024;

    /// Of a thread, in bytes: enough for the system's name services, a fraction of the usual 8 MiB.
    static constexpr std::size_t kStackSize = 512 * 1024;

    struct Answer {
        std::vector<Address> addresses; ///< in the order of preference (RFC 6724)
        Failure failure;                ///< when there are none
    };

    /// Looks a name up, taking its time; called on our threads, several at once.
    using Query = Answer (*)(const std::string& host, std::uint16_t port);

    /// @param remote the reactor that answers are delivered on.
    explicit ThreadResolver(Remote remote, Query query = &queryAddresses);
    ~ThreadResolver() override;

    /// Fails with DNSLookupError, which names the host and says what the system says.
    [[nodiscard]] std::unique_ptr<Lookup> resolve(const std::string& host, std::uint16_t port,
                                                  Callback callback) override;

    /// The addresses of both families that the system knows, also of one that no interface has: an attempt to connect
    /// finds that out at once, and `localhost` has both even where the machine has but one.
    static Answer queryAddresses(const std::string& host, std::uint16_t port);

private:
    struct Job;
    struct Shared;
    class PendingLookup;

    static void* runThread(void* shared);
    static bool startThread(const std::shared_ptr<Shared>& shared);
    Failure enqueue(const std::shared_ptr<Job>& job);

    std::shared_ptr<Shared> shared_;
};

} // namespace torsion
