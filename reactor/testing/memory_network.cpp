#include <reactor/testing/memory_network.hpp>

#include <reactor/address.hpp>
#include <reactor/testing/detail/port_table.hpp>
#include <reactor/testing/memory_reactor.hpp>

#include <algorithm>
#include <stdexcept>

namespace torsion::testing {

namespace {

// A clock that does not begin at 0 finds code that takes 0 for "not set".
constexpr TimePoint kStart = TimePoint::fromNanoseconds(1'000'000'000);

[[noreturn]] void neverRests() {
    throw std::runtime_error("the reactors of a MemoryNetwork do not come to rest: something is always to be done");
}

} // namespace

MemoryNetwork::MemoryNetwork(const MemoryLimits& limits) : ports_(std::make_shared<detail::PortTable>()), now_(kStart) {
    setLimits(limits);
}

MemoryNetwork::~MemoryNetwork() = default;

void MemoryNetwork::setLimits(const MemoryLimits& limits) {
    if (limits.capacity == 0 || limits.maxSend == 0 || limits.maxReceive == 0) {
        throw std::invalid_argument("MemoryLimits: a limit is 0, so nothing could ever move");
    }
    limits_ = limits;
    cuts_.reset();
    if (limits.cuts)
        cuts_.emplace(*limits.cuts);
}

void MemoryNetwork::setRoute(std::string_view host, Route route) {
    routes_.insert_or_assign(Address::parse(host, 0).host(), route);
}

MemoryNetwork::Route MemoryNetwork::route(std::string_view host) const {
    if (const auto found = routes_.find(host); found != routes_.end())
        return found->second;
    const Address address = Address::parse(host, 0);
    return address.isLoopback() || address.isWildcard() ? Route::Up : Route::Unreachable;
}

void MemoryNetwork::settle() {
    for (int i = 0; i < kMaxTurns; ++i) {
        if (!turnAll())
            return;
    }
    neverRests();
}

// What settle() leaves is not over as long as threads work.
void MemoryNetwork::rest() {
    do {
        settle();
    } while (waitForPools());
}

void MemoryNetwork::advance(Duration span) {
    if (span < Duration::zero())
        throw std::invalid_argument("advance: time does not go back");
    const TimePoint end = now_ + span;
    rest();
    for (auto next = nextEvent(); next && *next <= end; next = nextEvent()) {
        moveTo(*next);
        rest();
    }
    moveTo(end);
    rest();
}

bool MemoryNetwork::runUntil(CallableRef<bool()> condition, Duration limit) {
    const TimePoint end = now_ + limit;
    for (int i = 0; i < kMaxTurns; ++i) {
        if (condition())
            return true;
        if (turnAll() || waitForPools())
            continue;
        const std::optional<TimePoint> next = nextEvent();
        if (!next || *next > end)
            return false;
        moveTo(*next);
    }
    neverRests();
}

void MemoryNetwork::join(MemoryReactor& reactor) {
    reactors_.push_back(&reactor);
}

void MemoryNetwork::leave(MemoryReactor& reactor) noexcept {
    std::erase(reactors_, &reactor);
}

std::optional<TimePoint> MemoryNetwork::nextEvent() const {
    std::optional<TimePoint> next;
    for (MemoryReactor* reactor : reactors_) {
        const std::optional<TimePoint> due = reactor->nextEvent();
        if (due && (!next || *due < *next))
            next = due;
    }
    return next;
}

bool MemoryNetwork::turnAll(const MemoryReactor* except) {
    bool any = false;
    for (std::size_t i = 0; i < reactors_.size(); ++i) { // a callback may make or destroy reactors
        MemoryReactor* reactor = reactors_[i];
        if (reactor == except || reactor->isTurning() || !reactor->hasWork())
            continue;
        reactor->iterate(Duration::zero());
        any = true;
    }
    return any;
}

bool MemoryNetwork::waitForPools(const MemoryReactor* running) {
    for (MemoryReactor* reactor : reactors_) {
        if ((reactor == running || !reactor->isTurning()) && reactor->waitForPool())
            return true;
    }
    return false;
}

std::size_t MemoryNetwork::cut(std::size_t possible, std::size_t limit) {
    const std::size_t most = std::min(possible, limit);
    return cuts_ && most > 1 ? 1 + static_cast<std::size_t>(cuts_->below(most)) : most;
}

} // namespace torsion::testing
