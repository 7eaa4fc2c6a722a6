#include <reactor/testing/memory_reactor.hpp>

#include <reactor/log.hpp>
#include <reactor/testing/detail/memory_host.hpp>
#include <reactor/testing/detail/memory_port.hpp>

#include <condition_variable>
#include <mutex>
#include <utility>

namespace torsion::testing {

/// How other threads interrupt a run() that waits for them.
struct MemoryReactor::Wake {
    std::mutex mutex;
    std::condition_variable changed;
    bool woken = false;

    void wake() {
        const std::lock_guard lock(mutex);
        woken = true;
        changed.notify_all();
    }
};

MemoryReactor::MemoryReactor(const MemoryReactorOptions& options)
    : MemoryReactor(std::make_shared<MemoryNetwork>(), options) {}

MemoryReactor::MemoryReactor(std::shared_ptr<MemoryNetwork> network, const MemoryReactorOptions& options)
    : MemoryReactor(std::move(network), options, std::make_shared<Wake>()) {}

MemoryReactor::MemoryReactor(std::shared_ptr<MemoryNetwork> network, const MemoryReactorOptions& options,
                             std::shared_ptr<Wake> wake)
    : ReactorCore([wake] { wake->wake(); }, std::make_unique<SeededRandom>(options.seed)), network_(std::move(network)),
      wake_(std::move(wake)), host_(std::make_shared<detail::MemoryHost>(network_)), secureRandom_(~options.seed),
      maxIdle_(options.maxIdle) { // not the numbers of random() once more
    auto names = std::make_unique<ScriptResolver>(*this);
    names_ = names.get();
    resolver_ = std::move(names);
    getThreadPool().onIdle([wake = wake_] { wake->wake(); });
    network_->join(*this);
}

MemoryReactor::~MemoryReactor() {
    endEverything();
    network_->leave(*this);
}

FaultInjector& MemoryReactor::faults() noexcept {
    return host_->faults;
}

bool MemoryReactor::hasWork() {
    if (!host_->ready.empty() || turn().isBusy())
        return true;
    const std::optional<TimePoint> due = nextEvent();
    return due && *due <= network_->now();
}

std::optional<TimePoint> MemoryReactor::nextEvent() {
    return turn().nextEvent();
}

std::unique_ptr<Resolver> MemoryReactor::setResolver(std::unique_ptr<Resolver> resolver) {
    std::unique_ptr<Resolver> previous = ReactorCore::setResolver(std::move(resolver));
    names_ = nullptr;
    return previous;
}

// The date of the network's start is nobody's birthday: 2001-09-09 01:46:40 UTC, a second before it.
std::chrono::system_clock::time_point MemoryReactor::wall() const {
    using std::chrono::system_clock;
    return system_clock::time_point(std::chrono::seconds(1'000'000'000)) +
           std::chrono::duration_cast<system_clock::duration>(Duration(network_->now().nanoseconds()));
}

// Waiting costs no time but the network's.
void MemoryReactor::runOneTurn(Duration wait) {
    beforePoll();
    if (wait > Duration::zero() && host_->ready.empty() && !turn().isBusy()) {
        const TimePoint until = network_->now() + wait;
        const std::optional<TimePoint> next = network_->nextEvent();
        network_->moveTo(next && *next < until ? *next : until);
        turn().timePassed();
    }
    host_->deliverReady();
    afterPoll();
}

void MemoryReactor::runTurns() {
    while (!leaving()) {
        runOneTurn(Duration::zero());
        const bool others = network_->turnAll(this);
        if (leaving() || others || hasWork())
            continue;
        if (network_->waitForPools(this))
            continue;
        if (const std::optional<TimePoint> next = network_->nextEvent()) {
            network_->moveTo(*next);
        } else if (!waitForThreads()) {
            log::error("a MemoryReactor has nothing left to do, and nobody stops it: leaving run()");
            crash();
        }
    }
}

// Nothing can happen here any more, but another thread may post a call.
bool MemoryReactor::waitForThreads() {
    std::unique_lock lock(wake_->mutex);
    wake_->changed.wait_for(lock, maxIdle_, [this] { return wake_->woken; });
    return std::exchange(wake_->woken, false);
}

bool MemoryReactor::waitForPool() {
    if (getThreadPool().isBusy())
        return waitForThreads();
    return hasWork(); // it has come to an end, and may have posted something before
}

std::unique_ptr<core::Acceptor> MemoryReactor::openAcceptor(const core::ListenSpec& spec, core::AcceptEvents& events) {
    return std::make_unique<detail::MemoryAcceptor>(host_, spec, events);
}

std::unique_ptr<core::Connecting> MemoryReactor::beginConnecting(const Address& address, const core::ConnectSpec& spec,
                                                                 core::ConnectEvents& events) {
    return std::make_unique<detail::MemoryConnecting>(host_, address, spec, events);
}

} // namespace torsion::testing
