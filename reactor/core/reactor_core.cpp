#include <reactor/core/reactor_core.hpp>

#include <reactor/core/connector_core.hpp>
#include <reactor/core/port_core.hpp>
#include <reactor/core/stream_options.hpp>
#include <reactor/errors.hpp>
#include <reactor/log.hpp>

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <utility>

namespace torsion::core {

namespace {

// Rounds of closing at a reactor's end: user code may open connections in connectionLost, but not for ever.
constexpr int kShutdownRounds = 100;

struct Depth {
    explicit Depth(int& depth) noexcept : depth_(depth) { ++depth_; }
    ~Depth() { --depth_; }
    Depth(const Depth&) = delete;
    Depth& operator=(const Depth&) = delete;
    int& depth_;
};

} // namespace

ReactorCore::ReactorCore(Function<void()> wake, std::unique_ptr<Random> random)
    : inbox_(std::make_shared<RemoteInbox>(std::move(wake))), turn_(*this, *inbox_), random_(std::move(random)),
      pending_(std::make_shared<detail::PendingList>([this](bool any) { onPending(any); })) {
    threadPool_.onNeeded([this, inbox = inbox_] { inbox->post([this] { startThreads(); }); });
}

ReactorCore::~ReactorCore() = default;

void ReactorCore::run() {
    if (started_ || depth_ != 0 || isInsideCallback())
        throw ReactorAlreadyRunning();
    checkRunnable();
    struct Epilogue {
        ReactorCore& reactor;
        ~Epilogue() { reactor.endRun(); }
    } const epilogue{*this};
    {
        const Depth depth(depth_);
        fireStartup();
        runTurns();
    }
    rethrowStartFailure();
}

void ReactorCore::fireStartup() {
    turn_.setThread(std::this_thread::get_id());
    started_ = true;
    leave_ = false;
    ++runs_;
    startup_.fire(
        [this] {
            startOwnPart();
            return Deferred<void>::succeed();
        },
        [] {});
}

void ReactorCore::rethrowStartFailure() {
    if (startFailure_)
        std::rethrow_exception(std::exchange(startFailure_, nullptr));
}

void ReactorCore::begin() {
    if (started_)
        throw ReactorAlreadyRunning("start(): the reactor is started");
    {
        const Depth depth(depth_);
        fireStartup();
    }
    if (startFailure_)
        endRun();
    rethrowStartFailure();
}

bool ReactorCore::endIfLeft() noexcept {
    if (!started_ || !leave_)
        return false;
    if (const std::exception_ptr failure = std::exchange(startFailure_, nullptr))
        turn_.guard("the start of a reactor", [&failure] { std::rethrow_exception(failure); });
    endRun();
    return true;
}

// "During startup", the reactor's own part; it may come long after `run()` was called. What fails then is run()'s
// failure.
void ReactorCore::startOwnPart() {
    running_ = true;
    try {
        onStarted();
        threadPool_.start();
    } catch (...) {
        startFailure_ = std::current_exception();
        startup_.abandon();
        leave();
    }
}

void ReactorCore::endRun() noexcept {
    startup_.abandon();
    shutdown_.abandon();
    drainEnd_ = {}; // of a drain that a crash ended
    threadsEnd_ = {};
    if (disconnected_)
        std::exchange(disconnected_, std::nullopt)->callback();
    turn_.forgetRequest();
    onRunEnded();
    started_ = running_ = false;
    stop_ = Stop::No;
    turn_.watchPhases(false);
    if (std::exchange(threadsWanted_, false))
        inbox_->post([this] { startThreads(); });
}

void ReactorCore::stop(StopOptions options) {
    checkThread();
    if (!started_ || stop_ != Stop::No)
        throw ReactorNotRunning();
    if (options.drain.count() < 0)
        throw std::invalid_argument("stop: drain is negative");
    stopOptions_ = options;
    stop_ = Stop::Asked;
    turn_.watchPhases(true);
    turn_.requestTurn();
}

void ReactorCore::crash() {
    checkThread();
    if (!started_)
        throw ReactorNotRunning();
    leave();
}

void ReactorCore::leave() noexcept {
    leave_ = true;
    running_ = false;
    interrupt();
}

void ReactorCore::iterate(Duration wait) {
    checkThread();
    if (depth_ != 0 || isInsideCallback())
        throw ReactorAlreadyRunning("iterate() inside run() or iterate()");
    checkRunnable();
    const Depth depth(depth_);
    runOneTurn(wait);
}

// Carries a stop on; called where no user code is on the stack.
void ReactorCore::betweenPhases() {
    if (stop_ == Stop::No || leave_ || isNested()) // a crash in the same turn ends a stop where it is
        return;
    if (stop_ == Stop::Asked) {
        stop_ = Stop::Before;
        startup_.abandon();
        shutdown_.fire(
            [this] {
                stop_ = Stop::Disconnecting;
                turn_.requestTurn();
                disconnected_.emplace();
                return disconnected_->deferred();
            },
            [this] { stopThreads(); });
    }
    if (stop_ == Stop::Disconnecting || stop_ == Stop::Draining)
        disconnect();
}

void ReactorCore::disconnect() {
    auto& live = turn_.live();
    if (stop_ == Stop::Disconnecting && stopOptions_.drain.count() != 0) {
        stop_ = Stop::Draining;
        drainEnd_ = turn_.callLater(stopOptions_.drain, [this] {
            stop_ = Stop::Disconnecting;
            stopOptions_.drain = {};
        });
        drained_ = turn_.liveAdded();
        for (Live* object = live.first(); object;) {
            Live* next = live.next(*object);
            object->onDrain();
            object = next;
        }
        turn_.requestTurn();
    }
    // What began after the drain did is not waited for: clients that connect again would prolong it.
    if (stop_ == Stop::Draining && live.first() && live.first()->sequence <= drained_)
        return;
    drainEnd_ = {};
    stop_ = Stop::Triggers;
    running_ = false;
    shutDownLive();
    std::exchange(disconnected_, std::nullopt)->callback();
}

void ReactorCore::shutDownLive() noexcept {
    auto& live = turn_.live();
    turn_.adoptUnfinished();
    for (int round = 0; round < kShutdownRounds && (!live.empty() || turn_.hasWork()); ++round) {
        for (Live* object = live.first(); object;) {
            Live* next = live.next(*object);
            turn_.guard("shutdown", [object] { object->onShutdown(); });
            object = next;
        }
        turn_.runClosings();
        turn_.runFlushes();
    }
    if (!live.empty())
        turn_.guard("the end of a reactor", [this] { logLeftOpen(); });
}

void ReactorCore::logLeftOpen() const {
    constexpr std::size_t kNamed = 10;
    const std::vector<Endpoint> left = endpoints();
    std::string names;
    for (std::size_t i = 0; i < std::min(left.size(), kNamed); ++i) {
        names += fmt::format("{}{} ({})", i == 0 ? "" : ", ", left[i].name, left[i].state);
    }
    if (left.size() > kNamed)
        names += fmt::format(" and {} more", left.size() - kNamed);
    log::error("after {} rounds of closing there is still open, because something opens whenever something "
               "closes: {}",
               kShutdownRounds, names);
}

// In a turn, when the first call was given to the pool, whoever runs the turns.
void ReactorCore::startThreads() {
    if (stop_ == Stop::No)
        threadPool_.start();
    else
        threadsWanted_ = true;
}

// The last part of a stop. Turns go on: a thread may wait for something to be done by us.
void ReactorCore::stopThreads() {
    stop_ = Stop::Threads;
    const bool waits = threadPool_.beginStop([this, inbox = inbox_, run = runs_] {
        inbox->post([this, run] {
            if (run != runs_ || stop_ != Stop::Threads) // a crash ended that stop
                return;
            threadPool_.join();
            leave();
        });
    });
    if (!waits) {
        leave();
        return;
    }
    threadsEnd_ = turn_.callLater(threadPool_.options().stopTimeout, [this] {
        if (threadPool_.leaveBehind().empty()) // no call runs: its threads are about to have ended
            threadPool_.join();
        leave();
    });
}

PendingOperation ReactorCore::keepPending(Function<void()> onDestroyed) {
    checkThread();
    if (*gone_)
        throw ReactorNotRunning("the reactor is being destroyed: nothing can be begun on it");
    return {pending_, pending_->add(std::move(onDestroyed))};
}

void ReactorCore::failPending() noexcept {
    for (int round = 0; round < kShutdownRounds && !pending_->empty(); ++round) {
        for (std::size_t left = pending_->size(); left > 0 && !pending_->empty(); --left) {
            Function<void()> call = pending_->takeFirst();
            turn_.guard("a pending operation's end", call);
        }
    }
}

void ReactorCore::endEverything() noexcept {
    if (depth_ != 0 || isInsideCallback() || turn_.hasOutsideCalls()) {
        std::fputs("torsion: a reactor was destroyed inside one of its own callbacks\n", stderr);
        std::terminate();
    }
    turn_.setThread(std::this_thread::get_id());
    startup_.abandon();
    shutdown_.abandon();
    inbox_->close();
    threadPool_.abandon();
    shutDownLive();
    failPending();
    *gone_ = true; // whoever opens something whenever something closes was let, for so many rounds
    shutDownLive();
    failPending();
    // Here, where all of the reactor is still there: what a callable holds may use it as it is destroyed.
    startup_.clear();
    shutdown_.clear();
    turn_.dropPosted();
    for (int round = 0; round < kShutdownRounds && turn_.timers.size() != 0; ++round) {
        for (DelayedCall& call : turn_.timers.getDelayedCalls()) {
            if (call.active())
                call.cancel();
        }
    }
    if (const std::size_t left = turn_.timers.size(); left != 0) {
        turn_.guard("the end of a reactor", [left] {
            log::error("after {} rounds of cancelling there are still {} delayed calls, because something "
                       "schedules whenever something is destroyed",
                       kShutdownRounds, left);
        });
    }
}

DelayedCall ReactorCore::schedule(Duration delay, Function<void()>&& f) {
    checkThread();
    return turn_.timers.schedule(turn_.freshNow() + delay, std::move(f));
}

std::vector<DelayedCall> ReactorCore::getDelayedCalls() const {
    checkThread();
    return turn_.timers.getDelayedCalls();
}

void ReactorCore::addWhenRunning(Function<void()> f) {
    checkThread();
    if (running_) {
        schedule(Duration::zero(), std::move(f));
        return;
    }
    addTrigger(EventPhase::After, SystemEvent::Startup, [g = std::move(f)]() mutable {
        g();
        return Deferred<void>::succeed();
    });
}

TriggerId ReactorCore::addTrigger(EventPhase phase, SystemEvent event, Trigger f) {
    checkThread();
    const TriggerId id{++lastTrigger_};
    (event == SystemEvent::Startup ? startup_ : shutdown_).add(id, phase, std::move(f));
    return id;
}

void ReactorCore::removeSystemEventTrigger(TriggerId id) {
    checkThread();
    if (startup_.remove(id) || shutdown_.remove(id))
        return;
    throw std::invalid_argument(fmt::format("there is no system event trigger {}", id.value));
}

std::shared_ptr<ListeningPort> ReactorCore::listenTCP(int port, std::shared_ptr<Factory> factory,
                                                      const ListenOptions& options) {
    checkThread();
    if (port < 0 || port > 65535)
        throw std::invalid_argument(fmt::format("listenTCP: port {} is not 0..65535", port));
    if (!factory)
        throw std::invalid_argument("listenTCP: the factory is null");
    if (options.backlog < 1)
        throw std::invalid_argument("listenTCP: backlog is less than 1");
    if (options.acceptBudget < 1)
        throw std::invalid_argument("listenTCP: acceptBudget is less than 1");
    checkStreamOptions(options.stream);
    const std::string_view interface = options.interface.empty() ? "0.0.0.0" : options.interface;
    auto result = std::make_shared<PortCore>(*this, Address::parse(interface, static_cast<std::uint16_t>(port)),
                                             std::move(factory), options);
    result->startListening();
    return result;
}

std::shared_ptr<Connector> ReactorCore::connectTCP(std::string_view host, int port,
                                                   std::shared_ptr<ClientFactory> factory,
                                                   const ConnectOptions& options) {
    checkThread();
    if (port < 1 || port > 65535)
        throw std::invalid_argument(fmt::format("connectTCP: port {} is not 1..65535", port));
    if (host.empty())
        throw std::invalid_argument("connectTCP: the host is empty");
    if (!factory)
        throw std::invalid_argument("connectTCP: the factory is null");
    checkStreamOptions(options.stream);
    auto result = std::make_shared<ConnectorCore>(
        *this, Destination{std::string(host), static_cast<std::uint16_t>(port)}, std::move(factory), options);
    result->connect();
    return result;
}

std::unique_ptr<Resolver> ReactorCore::setResolver(std::unique_ptr<Resolver> resolver) {
    checkThread();
    if (!resolver)
        throw std::invalid_argument("setResolver: the resolver is null");
    return std::exchange(resolver_, std::move(resolver));
}

void ReactorCore::setSlowTurn(Duration limit) {
    checkThread();
    turn_.setSlowTurn(limit);
}

void ReactorCore::setLimits(const ReactorLimits& limits) {
    checkThread();
    checkCloseLimits(limits.close);
    turn_.limits = limits;
}

ReactorLimits ReactorCore::getLimits() const {
    checkThread();
    return turn_.limits;
}

ReactorStats ReactorCore::stats() const {
    checkThread();
    ReactorStats result = turn_.stats;
    result.timers = turn_.timers.size();
    return result;
}

std::vector<Endpoint> ReactorCore::endpoints() const {
    checkThread();
    std::vector<Endpoint> result;
    auto& live = turn_.live();
    for (Live* object = live.first(); object; object = live.next(*object))
        result.push_back(object->endpoint());
    return result;
}

void ReactorCore::checkThread() const noexcept {
#ifndef NDEBUG
    if (!turn_.isOnThread())
        TurnCore::onWrongThread();
#endif
}

} // namespace torsion::core
