#pragma once

#include <reactor/failure.hpp>
#include <reactor/reactor.hpp>
#include <reactor/resolver.hpp>

#include <cstddef>
#include <memory>

namespace torsion {

namespace detail {
struct NameAnswer;
}

/// The system's `getaddrinfo` and its other name services (<netdb.h>), on threads of our own: slow look-ups keep nobody
/// waiting but each other (in Twisted, and with libuv's pool, they share threads with files and work: S-152, S-299).
///
/// The threads begin with the first look-ups and end with this object. Nothing waits for them: a look-up that hangs in
/// the system holds only what it shares with its thread, which may outlive the reactor. One that was abandoned while it
/// waited never begins; one that runs is ignored when it completes. Owned by the reactor; its thread.
class ThreadResolver final : public NameResolver {
public:
    /// Look-ups at once.
    static constexpr std::size_t kThreads = 2;

    /// Look-ups that may wait for a thread; more fail with DNSLookupError.
    static constexpr std::size_t kMaxWaiting = 1024;

    /// Of a thread, in bytes: enough for the system's name services, a fraction of the usual 8 MiB.
    static constexpr std::size_t kStackSize = 512 * 1024;

    /// An entry, or why there is none (<reactor/detail/system_names.hpp>).
    using Answer = detail::NameAnswer;

    /// Answers a question, taking its time; called on our threads, several at once.
    using Query = Answer (*)(const NameQuery& query);

    /// Asks the system.
    /// @param remote the reactor that answers are delivered on.
    explicit ThreadResolver(Remote remote);

    /// Asks a function, for tests.
    ThreadResolver(Remote remote, Query query);
    ~ThreadResolver() override;

    /// Fails with DNSLookupError or ServiceNameUnknownError, which names what was looked up and says what the system
    /// says.
    [[nodiscard]] std::unique_ptr<Lookup> lookUp(const NameQuery& query, EntryCallback callback) override;

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
