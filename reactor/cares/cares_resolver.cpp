#include <reactor/cares/cares_resolver.hpp>

#include <reactor/cares/answers.hpp>
#include <reactor/errors.hpp>
#include <reactor/libuv/descriptor_watch.hpp>
#include <reactor/libuv/thread_resolver.hpp>
#include <reactor/libuv/uv_reactor.hpp>
#include <reactor/log.hpp>

#include <spdlog/fmt/fmt.h>

#include <ares.h>
#include <sys/time.h>

#include <algorithm>
#include <limits>
#include <list>
#include <map>
#include <stdexcept>
#include <utility>

namespace torsion {

namespace {

using Kind = NameQuery::Kind;

// c-ares may say that a time-out is due that its own clock has not reached yet: then this is how often it is asked.
constexpr Duration kShortestWait = std::chrono::milliseconds(1);

void requireStarted(int status, const char* what) {
    if (status != ARES_SUCCESS)
        throw std::runtime_error(fmt::format("c-ares: {}: {}", what, ::ares_strerror(status)));
}

void startLibrary() {
    static const int status = ::ares_library_init(ARES_LIB_INIT_ALL);
    requireStarted(status, "ares_library_init");
}

/// As c-ares can hold it.
std::chrono::milliseconds tryTimeoutOf(const CaresOptions& options) {
    return std::min(options.tryTimeout, std::chrono::milliseconds(std::numeric_limits<int>::max()));
}

bool asksNameServers(Kind kind) {
    return kind == Kind::Addresses || kind == Kind::HostByName || kind == Kind::HostByAddress;
}

} // namespace

/// One look-up. c-ares holds it until it ends, which may be long after nobody waits for it any more.
struct CaresResolver::Query {
    std::shared_ptr<Channel> channel;
    NameQuery question;
    EntryCallback callback{}; // empty unless somebody waits
    cares::Answer answer{};
    Queries::iterator place{}; // in the channel's lists
};

/// A socket of c-ares, which it closes after this is gone.
struct CaresResolver::Watch final : uv::Ready {
    Watch(Channel& itsChannel, uv::LoopContext& context, int itsFd)
        : channel(itsChannel), fd(itsFd), watch(context, itsFd, *this) {}
    void onReady(int status, int events) override;

    Channel& channel;
    const int fd;
    uv::DescriptorWatch watch;
};

/// c-ares' state, and what it needs of the reactor. Lives as long as the resolver or a query of c-ares'.
///
/// What c-ares calls only takes notes: users are told when it has returned, because they may do anything then.
class CaresResolver::Channel {
public:
    Channel(UvReactor& reactor, const CaresOptions& options);
    ~Channel() { shutDown(); }

    void begin(const std::shared_ptr<Query>& query, EntryCallback callback);
    void abandon(Query& query) noexcept;
    void process(int readable, int writable);

private:
    static void onState(void* self, int fd, int readable, int writable) noexcept;
    static void onAddresses(void* query, int status, int timeouts, ares_addrinfo* result) noexcept;
    static void onHost(void* query, int status, int timeouts, hostent* host) noexcept;

    template <class Result>
    static void ended(void* query, int status, const Result* result) noexcept;

    void put(const std::shared_ptr<Query>& query);
    void ask(Queries query);
    void watch(int fd, int events);
    void goOn();
    void callBy(TimePoint due);
    void deliver();
    void rest() noexcept;
    void shutDown() noexcept;

    UvReactor& reactor_;
    ares_channel ares_ = nullptr; // null once the reactor is gone
    std::map<int, std::unique_ptr<Watch>> watches_;
    Queries held_;                 // by c-ares, abandoned ones among them
    Queries ended_;                // of which nobody has been told
    const Query* begun_ = nullptr; // which c-ares is being given
    ScopedCall timer_;
    TimePoint due_{}; // timer_'s
    const Duration tryTimeout_;
    PendingOperation pending_; // while somebody waits
    std::size_t waiting_ = 0;  // look-ups that somebody waits for
};

class CaresResolver::PendingLookup final : public Resolver::Lookup {
public:
    explicit PendingLookup(std::shared_ptr<Query> query) : query_(std::move(query)) {}
    ~PendingLookup() override { query_->channel->abandon(*query_); }

private:
    std::shared_ptr<Query> query_;
};

// May destroy this object. Where c-ares keeps a socket that was in error (a send may have taken the error already),
// answers come by it: libuv has to be told again to watch it.
void CaresResolver::Watch::onReady(int status, int events) {
    const bool failed = status < 0;
    if (failed) {
        const int wanted = watch.events();
        watch.stopped();
        watch.watch(wanted);
    }
    channel.process(failed || (events & uv::kReadable) != 0 ? fd : ARES_SOCKET_BAD,
                    failed || (events & uv::kWritable) != 0 ? fd : ARES_SOCKET_BAD);
}

CaresResolver::Channel::Channel(UvReactor& reactor, const CaresOptions& options)
    : reactor_(reactor), tryTimeout_(tryTimeoutOf(options)) {
    startLibrary();
    ares_options settings{};
    int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB;
    settings.timeout = static_cast<int>(tryTimeoutOf(options).count());
    settings.tries = options.tries;
    settings.sock_state_cb = &Channel::onState;
    settings.sock_state_cb_data = this;
    char serversAlone[] = "b";
    if (!options.useHostsFile) {
        settings.lookups = serversAlone;
        mask |= ARES_OPT_LOOKUPS;
    }
    if (!options.useSearchDomains)
        mask |= ARES_OPT_DOMAINS; // none
    requireStarted(::ares_init_options(&ares_, &settings, mask), "ares_init_options");
    const std::string servers(options.servers);
    if (servers.empty())
        return;
    if (const int status = ::ares_set_servers_ports_csv(ares_, servers.c_str()); status != ARES_SUCCESS) {
        ::ares_destroy(std::exchange(ares_, nullptr));
        throw std::invalid_argument(
            fmt::format("CaresResolver: '{}' are no name servers: {}", servers, ::ares_strerror(status)));
    }
}

// What throws leaves it to the query's look-up to abandon it: c-ares may have it already.
void CaresResolver::Channel::begin(const std::shared_ptr<Query>& query, EntryCallback callback) {
    if (!ares_)
        throw ReactorNotRunning("the reactor is being destroyed: nothing can be looked up on it");
    if (waiting_ == 0)
        pending_ = reactor_.keepPending([this] { shutDown(); });
    ++waiting_;
    query->callback = std::move(callback);
    put(query);
}

// c-ares is not asked when it wants to be called: it looks at all that it holds to tell.
void CaresResolver::Channel::put(const std::shared_ptr<Query>& query) {
    Queries node{query};
    query->place = node.begin();
    if (held_.size() >= kMaxUnderWay) {
        query->answer = cares::failedNow(query->question, fmt::format("{} look-ups are under way", kMaxUnderWay));
        ended_.splice(ended_.end(), node);
    } else if (query->question.name.find('\0') != std::string::npos) {
        query->question.name = query->question.name.c_str();
        query->answer = cares::failed(query->question, "a zero byte in the name");
        ended_.splice(ended_.end(), node);
    } else {
        ask(std::move(node));
    }
    callBy(reactor_.context().turn.freshNow() + (ended_.empty() ? tryTimeout_ : Duration::zero()));
}

/// @param node one query.
void CaresResolver::Channel::ask(Queries node) {
    Query* const query = node.front().get();
    const NameQuery& question = query->question;
    const std::string packed = question.address.packed(); // what allocates comes first
    held_.splice(held_.end(), node);
    begun_ = query;
    if (question.kind == Kind::HostByAddress) {
        ::ares_gethostbyaddr(ares_, packed.data(), static_cast<int>(packed.size()),
                             question.address.isIPv4() ? AF_INET : AF_INET6, &Channel::onHost, query);
    } else {
        ares_addrinfo_hints hints{};
        hints.ai_flags = ARES_AI_CANONNAME;
        hints.ai_family = cares::familyOf(question.family);
        hints.ai_socktype = SOCK_STREAM;
        ::ares_getaddrinfo(ares_, question.name.c_str(), nullptr, &hints, &Channel::onAddresses, query);
    }
    begun_ = nullptr;
}

// Not let go here: with the last query the channel might go, under c-ares' feet. What is known at once does not come
// from a name server: c-ares gives no time then, and says 0.
template <class Result>
void CaresResolver::Channel::ended(void* query, int status, const Result* result) noexcept {
    Query& ours = *static_cast<Query*>(query);
    Channel& channel = *ours.channel;
    try {
        ours.answer = cares::answerOf(ours.question, status, result);
        if (channel.begun_ == &ours && !ours.answer.failure)
            ours.answer.entry.timeToLive.reset();
    } catch (...) { // no memory
        ours.answer = {{.timeToLive = std::chrono::seconds(0)}, Failure::current()};
    }
    channel.ended_.splice(channel.ended_.end(), channel.held_, ours.place);
}

void CaresResolver::Channel::onAddresses(void* query, int status, int, ares_addrinfo* result) noexcept {
    ended(query, status, result);
    if (result)
        ::ares_freeaddrinfo(result);
}

void CaresResolver::Channel::onHost(void* query, int status, int, hostent* host) noexcept {
    ended(query, status, host);
}

// A socket that cannot be watched is like one that nothing arrives on: its query ends by time.
void CaresResolver::Channel::onState(void* self, int fd, int readable, int writable) noexcept {
    try {
        static_cast<Channel*>(self)->watch(fd, (readable ? uv::kReadable : 0) | (writable ? uv::kWritable : 0));
    } catch (...) {
        log::error("a socket to a name server: {}", Failure::current().toString());
    }
}

void CaresResolver::Channel::watch(int fd, int events) {
    if (events == 0) {
        watches_.erase(fd);
        return;
    }
    std::unique_ptr<Watch>& slot = watches_[fd];
    try {
        if (!slot)
            slot = std::make_unique<Watch>(*this, reactor_.context(), fd);
    } catch (...) {
        watches_.erase(fd);
        throw;
    }
    slot->watch.watch(events);
}

// With bad sockets: only what is overdue.
void CaresResolver::Channel::process(int readable, int writable) {
    ::ares_process_fd(ares_, readable, writable);
    deliver();
}

// When c-ares wants to be called again, at the latest.
void CaresResolver::Channel::goOn() {
    timer_ = {};
    timeval room{};
    const timeval* wait = ::ares_timeout(ares_, nullptr, &room);
    if (!wait)
        return;
    const Duration delay = std::chrono::seconds(wait->tv_sec) + std::chrono::microseconds(wait->tv_usec);
    callBy(reactor_.context().turn.freshNow() + std::max(delay, kShortestWait));
}

// The library's own call, which no program finds among its delayed calls and cancels.
void CaresResolver::Channel::callBy(TimePoint due) {
    if (timer_.active() && due_ <= due)
        return;
    core::TurnCore& turn = reactor_.context().turn;
    timer_ = turn.callLater(std::max(due - turn.freshNow(), Duration::zero()),
                            [this] { process(ARES_SOCKET_BAD, ARES_SOCKET_BAD); });
    due_ = due;
}

// The queries keep this object alive, whatever those who are told destroy. What one of them throws goes no further:
// c-ares and libuv may be below, and the others are to be told.
void CaresResolver::Channel::deliver() {
    const Queries ended = std::exchange(ended_, {});
    core::TurnCore& turn = reactor_.context().turn;
    if (ares_)
        turn.guard("c-ares' time-outs", [this] { goOn(); });
    for (const std::shared_ptr<Query>& query : ended) {
        if (!query->callback)
            continue;
        EntryCallback callback = std::move(query->callback);
        query->callback.reset();
        if (--waiting_ == 0)
            rest();
        turn.guard("a look-up's answer", [&] { callback(std::move(query->answer.entry), query->answer.failure); });
    }
}

void CaresResolver::Channel::abandon(Query& query) noexcept {
    if (!query.callback)
        return;
    query.callback.reset();
    if (--waiting_ == 0)
        rest();
}

// c-ares goes on with what was abandoned as long as somebody waits for something, and not after.
void CaresResolver::Channel::rest() noexcept {
    pending_.end();
    if (!ares_)
        return;
    ::ares_cancel(ares_);
    timer_ = {};
    ended_.clear(); // abandoned, all of them
}

void CaresResolver::Channel::shutDown() noexcept {
    if (ares_)
        ::ares_destroy(std::exchange(ares_, nullptr));
    timer_ = {};
    watches_.clear();
    const Queries ended = std::exchange(ended_, {}); // they may hold this object
}

CaresResolver::CaresResolver(UvReactor& reactor, const CaresOptions& options) {
    if (options.tryTimeout.count() < 1)
        throw std::invalid_argument("CaresResolver: tryTimeout is less than a millisecond");
    if (options.tries < 1)
        throw std::invalid_argument("CaresResolver: tries is less than 1");
    channel_ = std::make_shared<Channel>(reactor, options);
    system_ = std::make_unique<ThreadResolver>(reactor.remote());
}

CaresResolver::~CaresResolver() = default;

std::unique_ptr<Resolver::Lookup> CaresResolver::lookUp(const NameQuery& query, EntryCallback callback) {
    if (!asksNameServers(query.kind))
        return system_->lookUp(query, std::move(callback));
    const auto ours = std::make_shared<Query>(Query{channel_, query});
    auto lookup = std::make_unique<PendingLookup>(ours);
    channel_->begin(ours, std::move(callback));
    return lookup;
}

} // namespace torsion
