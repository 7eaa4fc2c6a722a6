#pragma once

#include <reactor/clock.hpp>
#include <reactor/connector.hpp>
#include <reactor/deferred.hpp>
#include <reactor/factory.hpp>
#include <reactor/listening_port.hpp>
#include <reactor/options.hpp>
#include <reactor/random.hpp>
#include <reactor/resolver.hpp>
#include <reactor/thread_pool.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace torsion {

class RemoteInbox;

namespace detail {
class PendingList;
}

/// A thread-safe, copyable way to a reactor, which may outlive it.
class Remote {
public:
    Remote() = default;
    explicit Remote(std::shared_ptr<RemoteInbox> inbox) noexcept : inbox_(std::move(inbox)) {}

    /// Runs `f` on the reactor's thread, in the order of posting (S-143); calls posted before `run()` wait for it.
    /// Any thread. @returns false, and drops `f`, once the reactor is gone.
    bool post(Function<void()> f) const;

private:
    std::shared_ptr<RemoteInbox> inbox_;
};

/// Something of a reactor that is under way elsewhere, until this object is destroyed or told that it has ended: see
/// `Reactor::keepPending`. Movable; the reactor's thread; may outlive the reactor.
class [[nodiscard]] PendingOperation {
public:
    PendingOperation() noexcept = default;
    PendingOperation(std::weak_ptr<detail::PendingList> list, std::uint64_t id) noexcept
        : list_(std::move(list)), id_(id) {}
    PendingOperation(PendingOperation&&) noexcept = default;
    PendingOperation& operator=(PendingOperation&& other) noexcept;
    ~PendingOperation() { end(); }

    /// It has ended; the reactor forgets it.
    void end() noexcept;

private:
    std::weak_ptr<detail::PendingList> list_;
    std::uint64_t id_ = 0;
};

/// When a trigger of a system event is called (S-114, S-118).
enum class EventPhase { Before, During, After };

/// The events that the reactor fires.
enum class SystemEvent { Startup, Shutdown };

/// Names a trigger, for removal.
struct TriggerId {
    std::uint64_t value = 0;
    bool operator==(const TriggerId&) const = default;
};

/// Counters since the reactor was made, and what is there now.
struct ReactorStats {
    std::uint64_t turns = 0;
    std::uint64_t callbacks = 0; ///< calls of user code for I/O
    std::uint64_t bytesReceived = 0;
    std::uint64_t bytesSent = 0;
    std::uint64_t droppedBytes = 0; ///< written after a close began, or discarded by an abort
    std::uint64_t connectionsMade = 0;
    std::uint64_t connectionsLost = 0;
    std::uint64_t connectionsRefused = 0; ///< accepted and closed: `buildProtocol` gave none, or no descriptor was left
    std::uint64_t timersRun = 0;
    std::uint64_t slowTurns = 0;   ///< turns that took longer than `setSlowTurn`
    std::size_t connections = 0;   ///< now
    std::size_t lingering = 0;     ///< now: closed by us, waiting for the peer
    std::uint64_t lingersCut = 0;  ///< closed without their peers, because too many lingered
    std::size_t bufferedBytes = 0; ///< now: in all write buffers
    std::size_t timers = 0;        ///< now: pending delayed calls
};

/// What all connections of a reactor have in common; see `Reactor::setLimits`.
struct ReactorLimits {
    /// Bytes in all write buffers together: beyond it a `write` that finds its own connection above its high-water mark
    /// aborts that connection with WriteLimitError. None by default.
    std::size_t bufferedBytes = std::numeric_limits<std::size_t>::max();

    /// Connections that we have closed and that wait for their peers: beyond it the oldest is closed at once. What it
    /// sent is still delivered, by the kernel; but should its peer send more, that meets a reset.
    std::size_t lingering = 1024;

    /// For connections whose StreamOptions name none.
    CloseLimits close{};
};

/// One line of a listing of what a reactor has open.
struct Endpoint {
    enum class Kind { Connection, Port };
    Kind kind = Kind::Connection;
    std::string name;  ///< as logs call it
    std::string state; ///< "open", "closing", "lingering", "lost"; of ports: "listening", "paused"
    Duration age{};
    Address host;
    Address peer;
};

/// The loop that turns events into calls on protocols; abstract, so that what takes a `Reactor&` can run on the real
/// system, on memory and in simulation.
///
/// Belongs to one thread; everything but what says "any thread" is called there (debug builds assert it, but for
/// `now()`, which is too cheap for that).
class Reactor : public Clock {
public:
    /// @name Life
    /// @{

    /// Runs until `stop()` or `crash()`; may be called again afterwards (unlike Twisted, S-124).
    /// @throws ReactorAlreadyRunning inside itself (S-125).
    virtual void run() = 0;

    /// Asks for an orderly end and returns at once: at the end of the turn's timed calls the "before shutdown" triggers
    /// run and are waited for, then connections and ports are closed, then the "during" and "after" triggers run, and
    /// `run()` returns (S-117, S-118). @throws ReactorNotRunning before `run()`, or the second time (S-116).
    virtual void stop(StopOptions options = {}) = 0;

    /// Leaves `run()` after the present phase without triggers and without closing anything (S-124).
    /// @throws ReactorNotRunning
    virtual void crash() = 0;

    /// One turn by hand, for a host that has a loop of its own: waits at most `wait` for events.
    virtual void iterate(Duration wait = Duration::zero()) = 0;

    /// True from the "during startup" phase until connections are closed at the end (S-114, S-119).
    virtual bool isRunning() const noexcept = 0;

    /// Runs `f` once the reactor runs, in order (S-114); when it runs already, in the next turn's first phase.
    template <class F>
    void callWhenRunning(F&& f) {
        addWhenRunning(Function<void()>(std::forward<F>(f)));
    }

    /// Has `f` called when the reactor starts or ends. A "before" trigger that returns a Deferred<void> is waited for;
    /// the others' results are ignored (S-118, S-119). A trigger runs once (S-121).
    template <class F>
    TriggerId addSystemEventTrigger(EventPhase phase, SystemEvent event, F&& f) {
        return addTrigger(phase, event, asTrigger(std::forward<F>(f)));
    }

    /// Takes a trigger back, also from inside another (S-122).
    /// @throws std::invalid_argument when there is no such trigger (any more).
    virtual void removeSystemEventTrigger(TriggerId id) = 0;
    /// @}

    /// @name Threads
    /// @{

    /// A handle for other threads, and for objects that may outlive this reactor.
    virtual Remote remote() const = 0;

    /// Runs `f` on the reactor's thread in a later phase, in order; wakes it (S-143). Any thread.
    template <class F>
    void callFromThread(F&& f) const {
        remote().post(Function<void()>(std::forward<F>(f)));
    }

    /// The threads for what would keep the reactor waiting; <reactor/threads.hpp> has the functions that bring results
    /// back. They begin in the reactor's first turn and end when it stops: `run()` returns when all has been called
    /// that was given until the "after shutdown" triggers had run, while calls from threads are still served; what is
    /// given later waits for the next run (S-147). After `ThreadPoolOptions::stopTimeout`, a minute, `run()` returns
    /// all the same, as ThreadPool::stop() says, and logs what it leaves; results that come later are delivered in a
    /// later run. The reactor's destruction drops what waits and does not wait for
    /// what runs. Name look-ups have threads of their own (S-152). Any thread.
    virtual ThreadPool& getThreadPool() = 0;

    /// `getThreadPool().callInThread(f, args…)`. Any thread.
    template <class F, class... Args>
    void callInThread(F&& f, Args&&... args) {
        getThreadPool().callInThread(std::forward<F>(f), std::forward<Args>(args)...);
    }

    /// Whether this is the reactor's thread: that which made it, or called `run()` last. Any thread.
    virtual bool isInReactorThread() const noexcept = 0;

    /// For operations that end outside of the reactor, on a thread or in another library: until they do, a loop that
    /// ends by itself does not.
    /// @param onDestroyed called when the reactor is destroyed before: there will be no calls from threads any more.
    /// @throws ReactorNotRunning at the end of the reactor's destruction.
    virtual PendingOperation keepPending(Function<void()> onDestroyed) = 0;
    /// @}

    /// @name TCP
    /// @{

    /// Listens, now: binding fails here or not at all (S-77).
    /// @param port 0..65535; 0: the kernel chooses, see `ListeningPort::getHost()`.
    /// @throws CannotListenError naming interface and port, and an option that cannot be set; InvalidAddressError;
    /// std::invalid_argument (port, options).
    virtual std::shared_ptr<ListeningPort> listenTCP(int port, std::shared_ptr<Factory> factory,
                                                     const ListenOptions& options = {}) = 0;

    /// Connects to `host`: a numeric address, or a name whose addresses are tried as RFC 8305 says (unlike Twisted,
    /// S-105). Failures arrive at the factory (S-94).
    /// @param port 1..65535
    /// @throws std::invalid_argument for a port or option that can never work; InvalidAddressError for `bindHost`.
    virtual std::shared_ptr<Connector> connectTCP(std::string_view host, int port,
                                                  std::shared_ptr<ClientFactory> factory,
                                                  const ConnectOptions& options = {}) = 0;

    /// As above, to the port of a service (F10), `connectTCP("example.org", "http", factory)`. The service is looked up
    /// here and now, in the system's list, as a rule a file; `getServiceByName` (<reactor/names.hpp>) waits for
    /// nothing.
    /// @throws ServiceNameUnknownError (F11)
    std::shared_ptr<Connector> connectTCP(std::string_view host, std::string_view service,
                                          std::shared_ptr<ClientFactory> factory, const ConnectOptions& options = {}) {
        const int port = resolver().getServicePort(std::string(service), "tcp");
        return connectTCP(host, port, std::move(factory), options);
    }

    /// Turns names into addresses for `connectTCP`; owned by the reactor. What was asked of one that is replaced is
    /// still answered.
    virtual Resolver& resolver() = 0;

    /// @param resolver not null (std::invalid_argument)
    /// @returns the one before, whose look-ups go on: for a resolver that asks it in turn. It must not outlive the
    /// reactor.
    virtual std::unique_ptr<Resolver> setResolver(std::unique_ptr<Resolver> resolver) = 0;
    /// @}

    /// @name Randomness, which a simulation can seed
    /// @{
    virtual Random& random() = 0;       ///< quick; for jitter and shuffling
    virtual Random& secureRandom() = 0; ///< for keys and nonces
    /// @}

    /// @name Observing
    /// @{
    virtual ReactorStats stats() const = 0;

    /// Holds for what is written and closed from now on, and for connections that begin.
    /// @throws std::invalid_argument when a time is negative.
    virtual void setLimits(const ReactorLimits& limits) = 0;
    virtual ReactorLimits getLimits() const = 0;

    /// Everything open: ports and connections, in order of creation.
    virtual std::vector<Endpoint> endpoints() const = 0;

    /// Logs a warning for each turn that keeps the thread longer than this; zero (the default): never. The check costs
    /// two clock reads a turn.
    virtual void setSlowTurn(Duration limit) = 0;
    /// @}

protected:
    using Trigger = Function<Deferred<void>()>;

    virtual void addWhenRunning(Function<void()> f) = 0;
    virtual TriggerId addTrigger(EventPhase phase, SystemEvent event, Trigger f) = 0;

private:
    template <class F>
    static Trigger asTrigger(F&& f) {
        if constexpr (std::is_same_v<std::invoke_result_t<F&>, Deferred<void>>) {
            return Trigger(std::forward<F>(f));
        } else {
            return Trigger([g = std::forward<F>(f)]() mutable {
                g();
                return Deferred<void>::succeed();
            });
        }
    }
};

} // namespace torsion
