#include <reactor/caching_resolver.hpp>

#include <reactor/errors.hpp>
#include <reactor/failure.hpp>
#include <reactor/reactor.hpp>

#include <algorithm>
#include <exception>
#include <list>
#include <map>
#include <stdexcept>
#include <utility>

namespace torsion {

/// A look-up of the resolver behind. Lives as long as somebody waits for it, or is being told.
struct CachingResolver::Pending {
    explicit Pending(State& itsState);
    Pending(const Pending&) = delete;
    Pending& operator=(const Pending&) = delete;
    ~Pending();

    State& state;
    const TimePoint joinEnd; // whoever comes later asks anew
    std::unique_ptr<Lookup> lookup;
    std::list<Waiter*> waiters; // in order of coming
};

/// A look-up of the cache's.
class CachingResolver::Waiter final : public Resolver::Lookup {
public:
    Waiter(std::shared_ptr<State> state, NameQuery query, EntryCallback callback)
        : state_(std::move(state)), query_(std::move(query)), callback_(std::move(callback)) {}
    ~Waiter() override;

    const std::shared_ptr<State>& state() const noexcept { return state_; }
    const std::shared_ptr<Pending>& pending() const noexcept { return pending_; }

    void waitFor(std::shared_ptr<Pending> pending) {
        pending_ = std::move(pending);
        place_ = pending_->waiters.insert(pending_->waiters.end(), this);
    }
    void answerLater(NameEntry entry, Failure failure);

    /// May destroy this object, in the callback.
    void answer(NameEntry entry, const Failure& failure) {
        leave();
        EntryCallback callback = std::move(callback_);
        callback(std::move(entry), failure);
    }

private:
    void leave() noexcept {
        if (pending_)
            pending_->waiters.erase(place_);
        pending_.reset();
    }

    std::shared_ptr<State> state_;
    NameQuery query_;
    EntryCallback callback_;
    std::shared_ptr<Pending> pending_; // null when the answer is known
    std::list<Waiter*>::iterator place_;
    ScopedCall answer_;
};

struct CachingResolver::State {
    struct Kept {
        NameQuery query;
        NameEntry entry;
        Failure failure;
        TimePoint end;

        /// The entry with what is left of its time, for caches before this one; not 0, which says something else.
        NameEntry entryNow(TimePoint now) const {
            NameEntry result = entry;
            const auto left = std::chrono::ceil<std::chrono::seconds>(end - now);
            result.timeToLive = std::min(entry.timeToLive.value_or(left), left);
            return result;
        }
    };

    State(Clock& itsClock, const CacheOptions& itsOptions) : clock(itsClock), options(itsOptions) {}

    const Kept* find(const NameQuery& query);
    void begin(const NameQuery& query, const std::shared_ptr<Pending>& ours);
    void answered(const NameQuery& query, const Pending& which, const NameEntry& entry, const Failure& failure);
    bool leave(const NameQuery& query, const Pending& ours) noexcept;
    void keep(const NameQuery& query, const NameEntry& entry, const Failure& failure);
    std::chrono::seconds timeToLive(const NameEntry& entry, const Failure& failure) const;
    void forget(std::list<Kept>::iterator which);

    Clock& clock;
    std::unique_ptr<Resolver> resolver;
    const CacheOptions options;
    CacheStats counters;  // all but `entries`
    std::list<Kept> kept; // what was used last comes first
    std::map<NameQuery, std::list<Kept>::iterator> index;
    std::map<NameQuery, std::shared_ptr<Pending>> pending;
};

CachingResolver::Pending::Pending(State& itsState)
    : state(itsState), joinEnd(state.clock.now() + toDuration(state.options.joinTime)) {
    ++state.counters.underWay;
}

CachingResolver::Pending::~Pending() {
    --state.counters.underWay;
}

CachingResolver::Waiter::~Waiter() {
    const std::shared_ptr<Pending> pending = pending_;
    leave();
    if (pending && pending->waiters.empty())
        state_->leave(query_, *pending);
}

// With a reactor this is one of its delayed calls: a Clock has no others.
void CachingResolver::Waiter::answerLater(NameEntry entry, Failure failure) {
    answer_ = state_->clock.callLater(Duration::zero(),
                                      [this, entry = std::move(entry), failure = std::move(failure)]() mutable {
                                          const Failure why = std::move(failure); // this closure may be destroyed
                                          answer(std::move(entry), why);
                                      });
}

const CachingResolver::State::Kept* CachingResolver::State::find(const NameQuery& query) {
    const auto found = index.find(query);
    if (found == index.end())
        return nullptr;
    if (found->second->end <= clock.now()) {
        forget(found->second);
        return nullptr;
    }
    kept.splice(kept.begin(), kept, found->second);
    return &kept.front();
}

void CachingResolver::State::forget(std::list<Kept>::iterator which) {
    index.erase(which->query);
    kept.erase(which);
}

// The callback is dropped with the look-up, which lives no longer than somebody waits, and they hold this object.
void CachingResolver::State::begin(const NameQuery& query, const std::shared_ptr<Pending>& ours) {
    ++counters.misses;
    pending.insert_or_assign(query, ours);
    ours->lookup = resolver->lookUp(query, [this, query, &which = *ours](NameEntry entry, const Failure& failure) {
        answered(query, which, entry, failure);
    });
}

// Those who are told may abandon others, and ask again. What was asked anew meanwhile is not remembered: the later
// answer is.
void CachingResolver::State::answered(const NameQuery& query, const Pending& which, const NameEntry& entry,
                                      const Failure& failure) {
    const std::shared_ptr<State> self = which.waiters.front()->state();
    const std::shared_ptr<Pending> ours = which.waiters.front()->pending();
    if (leave(query, *ours))
        keep(query, entry, failure);
    std::exception_ptr thrown;
    while (!ours->waiters.empty()) {
        try {
            ours->waiters.front()->answer(entry, failure);
        } catch (...) { // the others hear of it all the same
            if (!thrown)
                thrown = std::current_exception();
        }
    }
    if (thrown)
        std::rethrow_exception(thrown);
}

// By identity: for the same question another look-up may be under way by now.
// @returns whether there is none.
bool CachingResolver::State::leave(const NameQuery& query, const Pending& ours) noexcept {
    const auto found = pending.find(query);
    if (found == pending.end() || found->second.get() != &ours)
        return false;
    pending.erase(found);
    return true;
}

std::chrono::seconds CachingResolver::State::timeToLive(const NameEntry& entry, const Failure& failure) const {
    if (!failure)
        return std::min(entry.timeToLive.value_or(options.timeToLive), options.maxTimeToLive);
    if (!failure.check<DNSLookupError>() && !failure.check<ServiceNameUnknownError>())
        return std::chrono::seconds(0); // no memory, for instance
    return std::min(entry.timeToLive.value_or(options.negativeTimeToLive), options.negativeTimeToLive);
}

void CachingResolver::State::keep(const NameQuery& query, const NameEntry& entry, const Failure& failure) {
    if (const auto old = index.find(query); old != index.end())
        forget(old->second);
    const std::chrono::seconds time = timeToLive(entry, failure);
    if (time <= std::chrono::seconds(0))
        return;
    kept.push_front({query, entry, failure, clock.now() + toDuration(time)});
    index.emplace(query, kept.begin());
    if (kept.size() > options.maxEntries)
        forget(std::prev(kept.end()));
}

CachingResolver::CachingResolver(Clock& clock, const CacheOptions& options)
    : state_(std::make_shared<State>(clock, options)) {
    if (options.maxEntries == 0)
        throw std::invalid_argument("CachingResolver: maxEntries is 0");
    if (std::min({options.timeToLive, options.maxTimeToLive, options.negativeTimeToLive, options.joinTime}).count() < 0)
        throw std::invalid_argument("CachingResolver: a time is negative");
}

CachingResolver::CachingResolver(Clock& clock, std::unique_ptr<Resolver> resolver, const CacheOptions& options)
    : CachingResolver(clock, options) {
    if (!resolver)
        throw std::invalid_argument("CachingResolver: the resolver is null");
    state_->resolver = std::move(resolver);
}

CachingResolver& CachingResolver::install(Reactor& reactor, const CacheOptions& options) {
    std::unique_ptr<CachingResolver> cache(new CachingResolver(reactor, options));
    CachingResolver& result = *cache;
    result.state_->resolver = reactor.setResolver(std::move(cache));
    return result;
}

CachingResolver::~CachingResolver() = default;

std::unique_ptr<Resolver::Lookup> CachingResolver::lookUp(const NameQuery& query, EntryCallback callback) {
    auto waiter = std::make_unique<Waiter>(state_, query, std::move(callback));
    if (const State::Kept* kept = state_->find(query)) {
        ++state_->counters.hits;
        waiter->answerLater(kept->entryNow(state_->clock.now()), kept->failure);
    } else if (const auto underWay = state_->pending.find(query);
               underWay != state_->pending.end() && state_->clock.now() < underWay->second->joinEnd) {
        ++state_->counters.joined;
        waiter->waitFor(underWay->second);
    } else {
        const auto pending = std::make_shared<Pending>(*state_);
        waiter->waitFor(pending);
        state_->begin(query, pending);
    }
    return waiter;
}

std::uint16_t CachingResolver::getServicePort(const std::string& service, const std::string& protocol) {
    return state_->resolver->getServicePort(service, protocol);
}

void CachingResolver::clear() noexcept {
    state_->index.clear();
    state_->kept.clear();
}

CacheStats CachingResolver::stats() const noexcept {
    CacheStats stats = state_->counters;
    stats.entries = state_->kept.size();
    return stats;
}

} // namespace torsion
