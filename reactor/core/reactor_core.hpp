#pragma once

#include <reactor/core/channel.hpp>
#include <reactor/core/inbox.hpp>
#include <reactor/core/pending_list.hpp>
#include <reactor/core/three_phase_event.hpp>
#include <reactor/core/turn_core.hpp>
#include <reactor/reactor.hpp>

#include <chrono>
#include <cstdint>
#include <exception>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

namespace torsion::core {

/// What every reactor does, whatever its backend: life and system events, timed calls, ports and connectors.
///
/// A backend derives from it, supplies the private hooks below, runs turns with `beforePoll()` and `afterPoll()`, and
/// calls `endEverything()` first in its destructor.
class ReactorCore : public Reactor, protected TurnHost {
public:
    ~ReactorCore() override;

    // Reactor
    void run() override;
    void stop(StopOptions options = {}) override;
    void crash() override;
    void iterate(Duration wait = Duration::zero()) override;
    bool isRunning() const noexcept override { return running_; }
    void removeSystemEventTrigger(TriggerId id) override;
    Remote remote() const override { return Remote(inbox_); }
    ThreadPool& getThreadPool() override { return threadPool_; }
    bool isInReactorThread() const noexcept override { return turn_.isOnThread(); }
    PendingOperation keepPending(Function<void()> onDestroyed) override;
    std::shared_ptr<ListeningPort> listenTCP(int port, std::shared_ptr<Factory> factory,
                                             const ListenOptions& options = {}) override;
    using Reactor::connectTCP;
    std::shared_ptr<Connector> connectTCP(std::string_view host, int port, std::shared_ptr<ClientFactory> factory,
                                          const ConnectOptions& options = {}) override;
    Resolver& resolver() override { return *resolver_; }
    std::unique_ptr<Resolver> setResolver(std::unique_ptr<Resolver> resolver) override;
    Random& random() override {
        checkThread();
        return *random_;
    }
    ReactorStats stats() const override;
    std::vector<Endpoint> endpoints() const override;
    void setLimits(const ReactorLimits& limits) override;
    ReactorLimits getLimits() const override;
    void setSlowTurn(Duration limit) override;

    // Clock
    TimePoint now() const override { return turn_.now(); }
    TimePoint freshNow() const override { return turn_.freshNow(); }
    std::vector<DelayedCall> getDelayedCalls() const override;

    /// @name For the objects of this reactor
    /// @{
    TurnCore& turn() noexcept { return turn_; }

    /// Backend: binds and listens, or throws CannotListenError. Accepting begins with `startAccepting()`.
    virtual std::unique_ptr<Acceptor> openAcceptor(const ListenSpec& spec, AcceptEvents& events) = 0;

    /// Backend: begins to connect, and never throws; what goes wrong at once is told in a later phase.
    virtual std::unique_ptr<Connecting> beginConnecting(const Address& address, const ConnectSpec& spec,
                                                        ConnectEvents& events) = 0;

    /// Keeps a port or connector alive while something of it is open, whatever its users drop.
    void keep(std::uint64_t id, std::shared_ptr<void> object) { kept_.insert_or_assign(id, std::move(object)); }
    void release(std::uint64_t id) { kept_.erase(id); }

    /// What waits for something that the backend may not know of (a name look-up); a loop that ends when nothing is
    /// left to wait for must not end while one lives.
    class Pending {
    public:
        explicit Pending(ReactorCore& reactor) noexcept : reactor_(reactor) { reactor_.keepAlive(true); }
        Pending(const Pending&) = delete;
        Pending& operator=(const Pending&) = delete;
        ~Pending() { reactor_.keepAlive(false); }

    private:
        ReactorCore& reactor_;
    };

    /// Becomes true at the end of the reactor's destruction, for handles that outlive it.
    std::shared_ptr<const bool> gone() const noexcept { return gone_; }

    /// Debug builds: terminates with a message when this is not the reactor's thread.
    void checkThread() const noexcept;
    /// @}

protected:
    ReactorCore(Function<void()> wake, std::unique_ptr<Random> random);

    void beforePoll() { turn_.beforePoll(); }
    void afterPoll() { turn_.afterPoll(); }

    /// The close phase of a reactor's end: connectionLost for all in order of creation, and calls from other threads
    /// are refused from now on.
    void endEverything() noexcept;

    /// What `run()` does before its first turn, where somebody else runs the turns.
    void begin();

    /// What `run()` does after its last turn, once that is due: true then. Nothing of ours is on the stack.
    bool endIfLeft() noexcept;

    /// Has `watch` look at the calls that come from threads; null for none.
    void watchInbox(std::shared_ptr<RemoteInbox::Watch> watch) { inbox_->watch(std::move(watch)); }

    bool isStarted() const noexcept { return started_; }
    bool isStopping() const noexcept { return stop_ != Stop::No; }
    bool inside() const noexcept { return depth_ != 0; }
    bool leaving() const noexcept { return leave_; }

    // Clock's hooks
    DelayedCall schedule(Duration delay, Function<void()>&& f) override;

    void addWhenRunning(Function<void()> f) override;
    TriggerId addTrigger(EventPhase phase, SystemEvent event, Trigger f) override;

    std::unique_ptr<Resolver> resolver_; // made by the backend

private:
    enum class Stop : std::uint8_t { No, Asked, Before, Disconnecting, Draining, Triggers, Threads };

    /// Backend: throws when it is not its own to run.
    virtual void checkRunnable() const {}
    /// Backend: one of our callbacks is on the stack, though neither `run()` nor `iterate()` is.
    virtual bool isInsideCallback() const noexcept { return false; }
    /// Backend: runs turns until `leaving()`.
    virtual void runTurns() = 0;
    /// Backend: one turn, waiting at most `wait`.
    virtual void runOneTurn(Duration wait) = 0;
    /// Backend: ends `runTurns` after the present phase.
    virtual void interrupt() noexcept = 0;
    /// Backend: one more, or one less, `Pending`.
    virtual void keepAlive(bool /*more*/) noexcept {}
    /// Backend: "during startup", before the users' triggers; and the end of `run()`, or of what `begin()` began.
    virtual void onStarted() {}
    virtual void onRunEnded() noexcept {}
    /// Backend: a turn runs inside another one's callback; what must find no user code on the stack waits.
    virtual bool isNested() const noexcept { return false; }
    /// Backend: operations are under way elsewhere, or no more.
    virtual void onPending(bool) {}

    void betweenPhases() override;
    void fireStartup();
    void rethrowStartFailure();
    void startOwnPart();
    void endRun() noexcept;
    void disconnect();
    void shutDownLive() noexcept;
    void logLeftOpen() const;
    void failPending() noexcept;
    void startThreads();
    void stopThreads();
    void leave() noexcept;

    std::shared_ptr<RemoteInbox> inbox_;
    mutable TurnCore turn_;
    std::unique_ptr<Random> random_;
    std::shared_ptr<detail::PendingList> pending_;
    ThreadPool threadPool_;
    ThreePhaseEvent startup_{"startup"};
    ThreePhaseEvent shutdown_{"shutdown"};
    std::map<std::uint64_t, std::shared_ptr<void>> kept_;
    std::optional<Promise<void>> disconnected_;
    ScopedCall drainEnd_;
    ScopedCall threadsEnd_;
    StopOptions stopOptions_{};
    std::exception_ptr startFailure_; // why run() cannot go on
    std::uint64_t lastTrigger_ = 0;
    std::uint64_t drained_ = 0; // the last of the live objects that a drain waits for
    std::uint64_t runs_ = 0;
    Stop stop_ = Stop::No;
    int depth_ = 0;        // run() or iterate() on the stack
    bool started_ = false; // run() was called, and has not returned
    bool running_ = false;
    bool leave_ = false;
    bool threadsWanted_ = false; // a call waits for the thread pool until the present run has ended
    // Set by the destructor, while everything is still there: nothing can be opened any more.
    const std::shared_ptr<bool> gone_ = std::make_shared<bool>(false);
};

} // namespace torsion::core
