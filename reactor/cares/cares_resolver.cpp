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
#include <uv.h>

#include <algorithm>
#include <limits>
#include <map>
#include <stdexcept>
#include <utility>
#include <vector>

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

bool asksNameServers(Kind kind) {
    return kind == Kind::Addresses || kind == Kind::HostByName || kind == Kind::HostByAddress;
}

} // namespace

/// One look-up. c-ares holds it until it ends, which may be long after nobody waits for it any more.
struct CaresResolver::Query {
    std::shared_ptr<Channel> channel;
    NameQuery question;
    EntryCallback callback; // empty once abandoned or answered
    cares::Answer answer;
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

    void begin(const std::shared_ptr<Query>& query);
    void abandon(Query& query) noexcept;
    void process(int readable, int writable);

private:
    static void onState(void* self, int fd, int readable, int writable) noexcept;
    static void onAddresses(void* query, int status, int timeouts, ares_addrinfo* result) noexcept;
    static void onHost(void* query, int status, int timeouts, hostent* host) noexcept;

    void ask(const std::shared_ptr<Query>& query);
    void watch(int fd, int events);
    void ended(std::unique_ptr<std::shared_ptr<Query>> query);
    void goOn();
    void deliver();
    void rest() noexcept;
    void shutDown() noexcept;

    UvReactor& reactor_;
    ares_channel ares_ = nullptr; // null once the reactor is gone
    std::map<int, std::unique_ptr<Watch>> watches_;
    std::vector<std::shared_ptr<Query>> ended_; // of which nobody has been told
    ScopedCall timer_;
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

// May destroy this object.
void CaresResolver::Watch::onReady(int status, int events) {
    const bool failed = status < 0;
    channel.process(failed || (events & UV_READABLE) != 0 ? fd : ARES_SOCKET_BAD,
                    failed || (events & UV_WRITABLE) != 0 ? fd : ARES_SOCKET_BAD);
}

CaresResolver::Channel::Channel(UvReactor& reactor, const CaresOptions& options) : reactor_(reactor) {
    startLibrary();
    ares_options settings{};
    int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB;
    settings.timeout =
        static_cast<int>(std::min<std::int64_t>(options.tryTimeout.count(), std::numeric_limits<int>::max()));
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

void CaresResolver::Channel::begin(const std::shared_ptr<Query>& query) {
    if (!ares_)
        throw ReactorNotRunning("the reactor is being destroyed: nothing can be looked up on it");
    if (waiting_ == 0)
        pending_ = reactor_.keepPending([this] { shutDown(); });
    ++waiting_;
    if (waiting_ > kMaxUnderWay) {
        query->answer = cares::failedNow(query->question, fmt::format("{} look-ups are under way", kMaxUnderWay));
        ended_.push_back(query);
    } else if (query->question.name.find('\0') != std::string::npos) {
        query->question.name = query->question.name.c_str();
        query->answer = cares::failed(query->question, "a zero byte in the name");
        ended_.push_back(query);
    } else {
        ask(query);
    }
    goOn();
}

void CaresResolver::Channel::ask(const std::shared_ptr<Query>& query) {
    const NameQuery& question = query->question;
    auto held = std::make_unique<std::shared_ptr<Query>>(query); // c-ares', until it calls back
    if (question.kind == Kind::HostByAddress) {
        const std::string packed = question.address.packed();
        ::ares_gethostbyaddr(ares_, packed.data(), static_cast<int>(packed.size()),
                             question.address.isIPv4() ? AF_INET : AF_INET6, &Channel::onHost, held.release());
        return;
    }
    ares_addrinfo_hints hints{};
    hints.ai_flags = ARES_AI_CANONNAME;
    hints.ai_family = cares::familyOf(question.family);
    hints.ai_socktype = SOCK_STREAM;
    ::ares_getaddrinfo(ares_, question.name.c_str(), nullptr, &hints, &Channel::onAddresses, held.release());
}

void CaresResolver::Channel::onAddresses(void* query, int status, int, ares_addrinfo* result) noexcept {
    std::unique_ptr<std::shared_ptr<Query>> held(static_cast<std::shared_ptr<Query>*>(query));
    Query& ours = **held;
    ours.answer = cares::answerOf(ours.question, status, result);
    if (result)
        ::ares_freeaddrinfo(result);
    ours.channel->ended(std::move(held));
}

void CaresResolver::Channel::onHost(void* query, int status, int, hostent* host) noexcept {
    std::unique_ptr<std::shared_ptr<Query>> held(static_cast<std::shared_ptr<Query>*>(query));
    Query& ours = **held;
    ours.answer = cares::answerOf(ours.question, status, host);
    ours.channel->ended(std::move(held));
}

// Not let go here: with the last query the channel might go, under c-ares' feet.
void CaresResolver::Channel::ended(std::unique_ptr<std::shared_ptr<Query>> query) {
    ended_.push_back(std::move(*query));
}

// A socket that cannot be watched is like one that nothing arrives on: its query ends by time.
void CaresResolver::Channel::onState(void* self, int fd, int readable, int writable) noexcept {
    try {
        static_cast<Channel*>(self)->watch(fd, (readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0));
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

// When c-ares wants to be called again, at the latest; at once where it has ended queries already.
void CaresResolver::Channel::goOn() {
    if (!ended_.empty()) {
        timer_ = reactor_.callLater(Duration::zero(), [this] { deliver(); });
        return;
    }
    timeval room{};
    const timeval* wait = ::ares_timeout(ares_, nullptr, &room);
    if (!wait) {
        timer_ = {};
        return;
    }
    const Duration delay = std::chrono::seconds(wait->tv_sec) + std::chrono::microseconds(wait->tv_usec);
    timer_ = reactor_.callLater(std::max(delay, kShortestWait), [this] { process(ARES_SOCKET_BAD, ARES_SOCKET_BAD); });
}

// The queries keep this object alive, whatever those who are told destroy.
void CaresResolver::Channel::deliver() {
    const std::vector<std::shared_ptr<Query>> ended = std::exchange(ended_, {});
    if (ares_)
        goOn();
    for (const std::shared_ptr<Query>& query : ended) {
        if (!query->callback)
            continue;
        EntryCallback callback = std::move(query->callback);
        query->callback.reset();
        if (--waiting_ == 0)
            rest();
        callback(std::move(query->answer.entry), query->answer.failure);
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
    const std::vector<std::shared_ptr<Query>> ended = std::exchange(ended_, {}); // they may hold this object
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
    auto ours = std::make_shared<Query>(Query{channel_, query, std::move(callback), {}});
    channel_->begin(ours);
    return std::make_unique<PendingLookup>(std::move(ours));
}

} // namespace torsion
