#include <reactor/core/inbox.hpp>
#include <reactor/detail/system_names.hpp>
#include <reactor/errors.hpp>
#include <reactor/libuv/thread_resolver.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

using namespace torsion;

namespace {

/// Stands between the test and the queries that run on the resolver's threads: they wait in it until it is open.
class Gate {
public:
    void enter(const std::string& host) {
        std::unique_lock lock(mutex_);
        inside_.push_back(host);
        changed_.notify_all();
        changed_.wait(lock, [this] { return open_; });
        ++left_;
        changed_.notify_all();
    }
    void open() {
        const std::lock_guard lock(mutex_);
        open_ = true;
        changed_.notify_all();
    }
    /// Until `count` queries have begun; in the order of beginning.
    std::vector<std::string> waitForBegun(std::size_t count) {
        return waitFor([&] { return inside_.size() >= count; });
    }
    std::vector<std::string> waitForEnded(std::size_t count) {
        return waitFor([&] { return left_ >= count; });
    }

private:
    template <class Condition>
    std::vector<std::string> waitFor(Condition condition) {
        std::unique_lock lock(mutex_);
        REQUIRE(changed_.wait_for(lock, std::chrono::seconds(30), condition));
        return inside_;
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<std::string> inside_;
    std::size_t left_ = 0;
    bool open_ = false;
};

// What the plain functions below use. Shared with the threads, which may outlive a test.
std::shared_ptr<Gate> gate;

ThreadResolver::Answer answerAtOnce(const NameQuery& query) {
    if (query.name == "unknown")
        return {{}, query.failed("no such name")};
    return {{.addresses = {Address::ipv4("192.0.2.1", 0)}}, {}};
}

ThreadResolver::Answer answerAtGate(const NameQuery& query) {
    const std::shared_ptr<Gate> held = gate;
    held->enter(query.name);
    return answerAtOnce(query);
}

/// The reactor's side: an inbox whose calls are run when the test says so.
class Inbox {
public:
    /// Runs calls as they come until `done` is true.
    template <class Condition>
    void runUntil(Condition done) {
        while (!done()) {
            {
                std::unique_lock lock(mutex_);
                REQUIRE(posted_.wait_for(lock, std::chrono::seconds(30), [this] { return count_ != 0; }));
                count_ = 0;
            }
            run();
        }
    }
    void run() {
        for (Function<void()>& call : inbox_->takeAll())
            call();
    }
    Remote remote() const { return Remote(inbox_); }
    void close() { inbox_->close(); }

private:
    std::mutex mutex_;
    std::condition_variable posted_;
    int count_ = 0;
    std::shared_ptr<RemoteInbox> inbox_ = std::make_shared<RemoteInbox>([this] {
        const std::lock_guard lock(mutex_);
        ++count_;
        posted_.notify_all();
    });
};

/// Looks names up and keeps what came of it.
class Client {
public:
    explicit Client(ThreadResolver::Query query) : resolver(std::in_place, inbox.remote(), query) {
        gate = std::make_shared<Gate>();
    }
    ~Client() {
        gate->open();
        inbox.close();
    }

    std::unique_ptr<Resolver::Lookup> lookUp(const std::string& host) {
        return resolver->resolve(host, 80, AddressFamily::Any,
                                 [this, host](std::vector<Address> addresses, const Failure& failure) {
                                     answered.push_back(host);
                                     lastAddresses = std::move(addresses);
                                     lastFailure = failure;
                                 });
    }
    bool has(const std::string& host) const {
        return std::find(answered.begin(), answered.end(), host) != answered.end();
    }

    Inbox inbox;
    std::optional<ThreadResolver> resolver;
    std::vector<std::string> answered;
    std::vector<Address> lastAddresses;
    Failure lastFailure;
};

} // namespace

TEST_CASE("a look-up is answered on the reactor's thread, with the port in the addresses") {
    Client client(answerAtOnce);
    std::thread::id where;
    const auto lookup = client.resolver->resolve(
        "name", 81, AddressFamily::Any, [&](std::vector<Address> addresses, const Failure& failure) {
            where = std::this_thread::get_id();
            CHECK(addresses == std::vector<Address>{Address::ipv4("192.0.2.1", 81)});
            CHECK_FALSE(failure);
        });
    CHECK(where == std::thread::id());
    client.inbox.runUntil([&] { return where != std::thread::id(); });
    CHECK(where == std::this_thread::get_id());
}

TEST_CASE("a look-up that fails brings the failure") {
    Client client(answerAtOnce);
    const auto lookup = client.lookUp("unknown");
    client.inbox.runUntil([&] { return client.has("unknown"); });
    CHECK(client.lastAddresses.empty());
    CHECK(client.lastFailure.check<DNSLookupError>());
}

TEST_CASE("S-152: two look-ups run at once, and the third when one of them has ended") {
    Client client(answerAtGate);
    const auto a = client.lookUp("a");
    const auto b = client.lookUp("b");
    const auto c = client.lookUp("c");
    std::vector<std::string> begun = gate->waitForBegun(2);
    CHECK(std::set<std::string>(begun.begin(), begun.end()) == std::set<std::string>{"a", "b"});
    gate->open();
    client.inbox.runUntil([&] { return client.has("a") && client.has("b") && client.has("c"); });
    CHECK(gate->waitForBegun(3).back() == "c");
}

TEST_CASE("S-299: a look-up that is abandoned while it waits never begins") {
    Client client(answerAtGate);
    const auto a = client.lookUp("a");
    const auto b = client.lookUp("b");
    auto abandoned = client.lookUp("abandoned");
    const auto d = client.lookUp("d");
    gate->waitForBegun(2);
    abandoned.reset();
    gate->open();
    client.inbox.runUntil([&] { return client.answered.size() == 3; });
    CHECK_FALSE(client.has("abandoned"));
    CHECK(gate->waitForBegun(3).size() == 3);
}

TEST_CASE("S-299: a look-up that is abandoned while it runs is ignored when it completes") {
    Client client(answerAtGate);
    const auto held = std::make_shared<int>();
    auto abandoned = client.resolver->resolve(
        "abandoned", 80, AddressFamily::Any,
        [&client, held](std::vector<Address>, const Failure&) { client.answered.push_back("wrong"); });
    gate->waitForBegun(1);
    abandoned.reset();
    CHECK(held.use_count() == 1);
    const auto other = client.lookUp("other");
    gate->open();
    client.inbox.runUntil([&] { return client.has("other"); });
    gate->waitForEnded(2);
    client.inbox.run();
    CHECK(client.answered == std::vector<std::string>{"other"});
}

TEST_CASE("a look-up may be destroyed inside its callback") {
    Client client(answerAtOnce);
    std::unique_ptr<Resolver::Lookup> lookup;
    bool called = false;
    lookup = client.resolver->resolve("name", 80, AddressFamily::Any, [&](std::vector<Address>, const Failure&) {
        lookup.reset();
        called = true;
    });
    client.inbox.runUntil([&] { return called; });
}

TEST_CASE("the end of reactor and resolver waits for no look-up") {
    Client client(answerAtGate);
    auto a = client.lookUp("a");
    auto b = client.lookUp("b");
    auto waiting = client.lookUp("waiting");
    gate->waitForBegun(2);
    a.reset();
    b.reset();
    waiting.reset();
    client.inbox.close();
    client.resolver.reset();
    gate->open();
    CHECK(gate->waitForEnded(2).size() == 2);
}

TEST_CASE("a resolver that is replaced finishes what was asked of it") {
    Client client(answerAtGate);
    const auto a = client.lookUp("a");
    const auto b = client.lookUp("b");
    const auto c = client.lookUp("c");
    gate->waitForBegun(2);
    client.resolver.reset();
    gate->open();
    client.inbox.runUntil([&] { return client.has("a") && client.has("b") && client.has("c"); });
}

TEST_CASE("look-ups beyond the limit fail, in a later phase") {
    Client client(answerAtGate);
    std::vector<std::unique_ptr<Resolver::Lookup>> lookups;
    for (std::size_t i = 0; i < ThreadResolver::kThreads; ++i)
        lookups.push_back(client.lookUp("running"));
    gate->waitForBegun(ThreadResolver::kThreads);
    for (std::size_t i = 0; i < ThreadResolver::kMaxWaiting; ++i)
        lookups.push_back(client.lookUp("waiting"));
    const auto tooMany = client.lookUp("one.too.many");
    CHECK(client.answered.empty());
    client.inbox.run();
    CHECK(client.answered == std::vector<std::string>{"one.too.many"});
    CHECK(client.lastFailure.check<DNSLookupError>());
    CHECK(client.lastFailure.getErrorMessage() == "looking up one.too.many: 1024 look-ups are waiting already");
    lookups.clear();
}

TEST_CASE("questions of every kind reach the thread as they were asked") {
    Client client([](const NameQuery& query) -> ThreadResolver::Answer {
        return {{.name = query.toString(), .number = query.number}, {}};
    });
    std::string asked;
    const auto lookup = client.resolver->lookUp(
        {.kind = NameQuery::Kind::ServiceByPort, .number = 80, .protocol = "tcp"},
        [&](NameEntry entry, const Failure& failure) { asked = failure ? failure.name() : entry.name; });
    client.inbox.runUntil([&] { return !asked.empty(); });
    CHECK(asked == "service 80/tcp");
}
