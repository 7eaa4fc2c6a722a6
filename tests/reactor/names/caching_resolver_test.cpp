#include <reactor/caching_resolver.hpp>
#include <reactor/errors.hpp>
#include <reactor/names.hpp>
#include <reactor/testing/clock.hpp>
#include <reactor/testing/memory_reactor.hpp>
#include <reactor/testing/script_resolver.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace torsion;
using namespace std::chrono_literals;

namespace {

using Lookup = std::unique_ptr<Resolver::Lookup>;

/// A cache before names that the case tells.
struct Scene {
    explicit Scene(const CacheOptions& options = {}) {
        auto script = std::make_unique<testing::ScriptResolver>(clock);
        names = script.get();
        cache.emplace(clock, std::move(script), options);
        names->setAddresses("a", {"192.0.2.1", "2001:db8::1"});
    }

    /// What is answered goes to `answers`: "a=192.0.2.1" and the like, "a=DNSLookupError".
    Lookup lookUp(const std::string& name, std::uint16_t port = 0, AddressFamily family = AddressFamily::IPv4) {
        return cache->resolve(name, port, family, [this, name](std::vector<Address> all, const Failure& failure) {
            std::string answer = name + "=" + (failure ? failure.name() : std::string());
            for (const Address& each : all)
                answer += each.port() == 0 ? each.host() : each.toString();
            answers.push_back(answer);
        });
    }

    /// Looks up and waits.
    std::string answerTo(const std::string& name) {
        const std::size_t before = answers.size();
        const Lookup lookup = lookUp(name);
        clock.advance(0s);
        clock.advance(0s);
        return answers.size() > before ? answers.back() : "none";
    }

    std::size_t asked() const { return names->queries().size(); }

    testing::Clock clock;
    testing::ScriptResolver* names = nullptr;
    std::optional<CachingResolver> cache;
    std::vector<std::string> answers;
};

} // namespace

TEST_CASE("an answer is remembered, and given again in a later phase, for any port") {
    Scene scene;
    CHECK(scene.answerTo("a") == "a=192.0.2.1");
    const Lookup again = scene.lookUp("a", 80);
    CHECK(scene.answers.size() == 1);
    scene.clock.advance(0s);
    CHECK(scene.answers.back() == "a=192.0.2.1:80");
    CHECK(scene.asked() == 1);
    CHECK(scene.cache->stats().hits == 1);
    CHECK(scene.cache->stats().misses == 1);
}

TEST_CASE("an answer is forgotten when its time is over: the resolver's, else the cache's, at most the longest") {
    Scene scene({.timeToLive = 10s, .maxTimeToLive = 100s});
    scene.names->setHost("short", {.addresses = {"192.0.2.2"}, .timeToLive = 3s});
    scene.names->setHost("long", {.addresses = {"192.0.2.3"}, .timeToLive = 1000s});
    scene.names->setHost("never", {.addresses = {"192.0.2.4"}, .timeToLive = 0s});
    const std::vector<std::pair<std::string, std::chrono::milliseconds>> times{
        {"a", 10s}, {"short", 3s}, {"long", 100s}, {"never", 0s}};
    for (const auto& [name, time] : times) {
        CAPTURE(name);
        scene.answerTo(name);
        const std::size_t before = scene.asked();
        if (time > 0s) {
            scene.clock.advance(time - 1ms);
            scene.answerTo(name);
            CHECK(scene.asked() == before);
            scene.clock.advance(1ms);
        }
        scene.answerTo(name);
        CHECK(scene.asked() == before + 1);
    }
}

TEST_CASE("a failure is remembered for a time of its own, unless it may pass") {
    Scene scene({.timeToLive = 60s, .negativeTimeToLive = 5s});
    CHECK(scene.answerTo("unknown") == "unknown=DNSLookupError");
    scene.clock.advance(4999ms);
    CHECK(scene.answerTo("unknown") == "unknown=DNSLookupError");
    CHECK(scene.asked() == 1);
    scene.clock.advance(1ms);
    scene.names->setAddresses("unknown", {"192.0.2.9"});
    CHECK(scene.answerTo("unknown") == "unknown=192.0.2.9");

    scene.names->setFailure("other", Failure::of<TimeoutError>());
    scene.answerTo("other");
    scene.names->setAddresses("other", {"192.0.2.8"});
    CHECK(scene.answerTo("other") == "other=192.0.2.8");
}

TEST_CASE("without a time for failures none is remembered") {
    Scene scene({.negativeTimeToLive = 0s});
    scene.answerTo("unknown");
    scene.answerTo("unknown");
    CHECK(scene.asked() == 2);
    CHECK(scene.cache->stats().entries == 0);
}

TEST_CASE("there are never more answers than allowed: the one used longest ago goes") {
    Scene scene({.maxEntries = 2});
    for (const char* name : {"b", "c"})
        scene.names->setAddresses(name, {"192.0.2.2"});
    for (const char* name : {"a", "b", "a", "c"}) // b is the one that was used longest ago
        scene.answerTo(name);
    CHECK(scene.asked() == 3);
    CHECK(scene.cache->stats().entries == 2);
    scene.answerTo("a");
    CHECK(scene.asked() == 3);
    scene.answerTo("b");
    CHECK(scene.asked() == 4);
}

TEST_CASE("families and kinds of questions are kept apart") {
    Scene scene;
    scene.answerTo("a");
    const Lookup six = scene.lookUp("a", 0, AddressFamily::IPv6);
    std::string name;
    const Lookup host =
        scene.cache->lookUp({.kind = NameQuery::Kind::HostByAddress, .address = Address::ipv4("192.0.2.1", 0)},
                            [&](NameEntry entry, const Failure&) { name = entry.name; });
    scene.clock.advance(0s);
    CHECK(scene.answers.back() == "a=2001:db8::1");
    CHECK(name == "a");
    CHECK(scene.asked() == 3);
}

TEST_CASE("look-ups of the same name at the same time are one, and all are answered in order") {
    Scene scene;
    scene.names->setAddresses("slow", {"192.0.2.5"}, 1s);
    const Lookup first = scene.lookUp("slow", 1);
    const Lookup second = scene.lookUp("slow", 2);
    CHECK(scene.cache->stats().underWay == 1);
    scene.clock.advance(1s);
    CHECK(scene.answers == std::vector<std::string>{"slow=192.0.2.5:1", "slow=192.0.2.5:2"});
    CHECK(scene.asked() == 1);
    CHECK(scene.cache->stats().joined == 1);
    CHECK(scene.cache->stats().underWay == 0);
}

TEST_CASE("abandoning one does not disturb the others; abandoning the last abandons the look-up") {
    Scene scene;
    scene.names->setAddresses("slow", {"192.0.2.5"}, 1s);
    Lookup first = scene.lookUp("slow");
    Lookup second = scene.lookUp("slow");
    first.reset();
    scene.clock.advance(1s);
    CHECK(scene.answers == std::vector<std::string>{"slow=192.0.2.5"});

    scene.names->setSilent("silent");
    scene.names->setAddresses("later", {"192.0.2.6"}, 1s);
    Lookup last = scene.lookUp("later");
    last.reset();
    CHECK(scene.cache->stats().underWay == 0);
    CHECK(scene.clock.getDelayedCalls().empty());
}

TEST_CASE("one that is told may abandon the others, itself, and ask again") {
    Scene scene;
    scene.names->setAddresses("slow", {"192.0.2.5"}, 1s);
    Lookup first;
    Lookup second;
    Lookup again;
    first = scene.cache->resolve("slow", 0, AddressFamily::Any, [&](std::vector<Address>, const Failure&) {
        second.reset();
        again = scene.lookUp("slow");
        first.reset();
    });
    second = scene.lookUp("slow");
    const Lookup third = scene.lookUp("slow", 3, AddressFamily::Any);
    scene.clock.advance(1s);
    scene.clock.advance(1s);
    scene.clock.advance(0s);
    CHECK(scene.answers == std::vector<std::string>{"slow=192.0.2.5:3", "slow=192.0.2.5"});
}

TEST_CASE("one that throws keeps the others from nothing") {
    Scene scene;
    const Lookup first = scene.cache->resolve(
        "a", 0, AddressFamily::IPv4, [](std::vector<Address>, const Failure&) { throw std::runtime_error("not me"); });
    const Lookup second = scene.lookUp("a");
    CHECK_THROWS_WITH(scene.clock.advance(0s), "not me");
    CHECK(scene.answers == std::vector<std::string>{"a=192.0.2.1"});
}

TEST_CASE("look-ups outlive the cache, and are answered") {
    Scene scene;
    scene.answerTo("a");
    const Lookup known = scene.lookUp("a");
    scene.names->setAddresses("slow", {"192.0.2.5"}, 1s);
    const Lookup slow = scene.lookUp("slow");
    scene.cache.reset();
    scene.clock.advance(1s);
    CHECK(scene.answers == std::vector<std::string>{"a=192.0.2.1", "a=192.0.2.1", "slow=192.0.2.5"});
}

TEST_CASE("what was forgotten on purpose is asked again") {
    Scene scene;
    scene.answerTo("a");
    scene.cache->clear();
    CHECK(scene.cache->stats().entries == 0);
    scene.answerTo("a");
    CHECK(scene.asked() == 2);
}

TEST_CASE("a cache is put before the resolver that a reactor has") {
    testing::MemoryReactor reactor;
    testing::ScriptResolver& names = reactor.names();
    names.setAddresses("a", {"192.0.2.1"});
    const CachingResolver& cache = CachingResolver::install(reactor, {.timeToLive = 10s});
    std::vector<Address> found;
    for (int i = 0; i < 2; ++i) {
        getHostByName(reactor, "a").addCallback([&](const Address& address) { found.push_back(address); }).detach();
        reactor.settle();
    }
    CHECK(found == std::vector<Address>(2, Address::ipv4("192.0.2.1", 0)));
    CHECK(cache.stats().hits == 1);
    CHECK(names.queries().size() == 1);
    CHECK_THROWS_AS(CachingResolver::install(reactor, {.maxEntries = 0}), std::invalid_argument);
}

TEST_CASE("a cache passes services at once on, and refuses options that cannot be") {
    Scene scene;
    scene.names->setService("http", 80, "tcp");
    CHECK(scene.cache->getServicePort("http", "tcp") == 80);
    CHECK_THROWS_AS(static_cast<void>(scene.cache->getServicePort("ntp", "tcp")), ServiceNameUnknownError);
    const auto make = [&](const CacheOptions& options) {
        CachingResolver cache(scene.clock, std::make_unique<testing::ScriptResolver>(scene.clock), options);
    };
    CHECK_THROWS_AS(make({.maxEntries = 0}), std::invalid_argument);
    CHECK_THROWS_AS(make({.timeToLive = -1s}), std::invalid_argument);
    CHECK_THROWS_AS(make({.joinTime = -1s}), std::invalid_argument);
    CHECK_THROWS_AS(CachingResolver(scene.clock, nullptr), std::invalid_argument);
}

TEST_CASE("what is remembered is given with what is left of its time, never with 0 s") {
    Scene scene({.timeToLive = 10s, .maxTimeToLive = 100s, .negativeTimeToLive = 5s});
    scene.names->setHost("short", {.addresses = {"192.0.2.2"}, .timeToLive = 3s});
    scene.names->setHost("long", {.addresses = {"192.0.2.3"}, .timeToLive = 1000s});
    std::optional<std::chrono::seconds> time;
    const auto timeOf = [&](const std::string& name) {
        const Lookup lookup = scene.cache->lookUp(
            {.name = name}, [&](const NameEntry& entry, const Failure&) { time = entry.timeToLive; });
        scene.clock.advance(0s);
        return time;
    };
    CHECK(timeOf("short") == 3s);
    CHECK(timeOf("short") == 3s);
    CHECK(timeOf("long") == 1000s);
    CHECK(timeOf("long") == 100s);
    CHECK(timeOf("a") == std::nullopt); // the system's resolver does not say
    CHECK(timeOf("a") == 10s);
    static_cast<void>(timeOf("unknown"));
    CHECK(timeOf("unknown") == 5s);
    scene.clock.advance(2900ms);
    CHECK(timeOf("short") == 1s);
    CHECK(timeOf("long") == 98s);
    CHECK(timeOf("a") == 8s);
    CHECK(timeOf("unknown") == 3s);
}

TEST_CASE("a cache before a cache holds no answer longer than one alone") {
    testing::MemoryReactor reactor;
    testing::ScriptResolver& names = reactor.names();
    names.setHost("a", {.addresses = {"192.0.2.1"}, .timeToLive = 10s});
    CachingResolver::install(reactor);
    const auto look = [&] {
        getHostByName(reactor, "a").detach();
        reactor.settle();
    };
    look();
    reactor.advance(9s);
    CachingResolver::install(reactor);
    look(); // from the first to the second
    CHECK(names.queries().size() == 1);
    reactor.advance(1s);
    look();
    CHECK(names.queries().size() == 2);
}

TEST_CASE("a look-up that hangs is joined for a while only: whoever comes later asks anew") {
    Scene scene({.joinTime = 10s});
    scene.names->setSilent("hangs");
    const Lookup first = scene.lookUp("hangs");
    scene.clock.advance(9999ms);
    const Lookup joined = scene.lookUp("hangs");
    CHECK(scene.cache->stats().joined == 1);
    scene.names->setAddresses("hangs", {"192.0.2.7"}, 1s);
    scene.clock.advance(1ms);
    const Lookup anew = scene.lookUp("hangs");
    const Lookup joinedToo = scene.lookUp("hangs", 2);
    CHECK(scene.cache->stats().underWay == 2);
    CHECK(scene.asked() == 2);
    scene.clock.advance(1s);
    CHECK(scene.answers == std::vector<std::string>{"hangs=192.0.2.7", "hangs=192.0.2.7:2"});
    CHECK(scene.cache->stats().underWay == 1);
    scene.answerTo("hangs");
    CHECK(scene.asked() == 2);
}

TEST_CASE("of two look-ups of a name the earlier one's answer goes to its own alone, and the later one's is kept") {
    Scene scene({.joinTime = 1s});
    scene.names->setAddresses("slow", {"192.0.2.5"}, 3s);
    const Lookup early = scene.lookUp("slow", 1);
    scene.clock.advance(1s);
    scene.names->setAddresses("slow", {"192.0.2.6"}, 5s);
    const Lookup late = scene.lookUp("slow", 2);
    scene.clock.advance(2s);
    CHECK(scene.answers == std::vector<std::string>{"slow=192.0.2.5:1"});
    CHECK(scene.cache->stats().entries == 0);
    scene.clock.advance(3s);
    CHECK(scene.answers.back() == "slow=192.0.2.6:2");
    CHECK(scene.answerTo("slow") == "slow=192.0.2.6");
    CHECK(scene.cache->stats().underWay == 0);
}

TEST_CASE("with no time for joining each look-up is one of its own") {
    Scene scene({.joinTime = 0s});
    scene.names->setAddresses("slow", {"192.0.2.5"}, 1s);
    const Lookup first = scene.lookUp("slow", 1);
    Lookup second = scene.lookUp("slow", 2);
    CHECK(scene.asked() == 2);
    second.reset();
    CHECK(scene.cache->stats().underWay == 1);
    scene.clock.advance(1s);
    CHECK(scene.answers == std::vector<std::string>{"slow=192.0.2.5:1"});
}
