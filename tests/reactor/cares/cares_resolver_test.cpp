#include "cares_scene.hpp"

#include "support/hooked_protocol.hpp"
#include "support/host_loop.hpp"

#include <reactor/caching_resolver.hpp>
#include <reactor/errors.hpp>
#include <reactor/names.hpp>

#include <algorithm>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace torsion;
using namespace torsion::test;
using namespace torsion::test::cares;
using namespace std::chrono_literals;
using Kind = NameQuery::Kind;

TEST_CASE("a name server's addresses of both families come with their least time to live") {
    for (const Dispatch dispatch : {Dispatch::Direct, Dispatch::TwoPhase}) {
        Scene scene(10s, {.dispatch = dispatch});
        const Scene::Answer answer = scene.answerTo({.name = "www.example.org"});
        CHECK_FALSE(answer.failure);
        CHECK(hostsOf(answer.entry) == Strings{"127.0.0.1:0", "127.0.0.2:0", "[::1]:0"});
        CHECK(answer.entry.timeToLive == 100s);
    }
}

TEST_CASE("I18: only the family that is wanted is asked for") {
    Scene scene;
    CHECK(hostsOf(scene.answerTo({.name = "www.example.org", .family = AddressFamily::IPv4}).entry) ==
          Strings{"127.0.0.1:0", "127.0.0.2:0"});
    CHECK(scene.server.asked() == Strings{"www.example.org A"});
    CHECK(hostsOf(scene.answerTo({.name = "www.example.org", .family = AddressFamily::IPv6}).entry) ==
          Strings{"[::1]:0"});
    CHECK(scene.server.asked().back() == "www.example.org AAAA");
}

TEST_CASE("aliases lead to the official name") {
    Scene scene;
    scene.server.addName("web.example.org", DnsServer::kCname, "alias.example.org", 50);
    scene.server.addName("alias.example.org", DnsServer::kCname, "end.example.org");
    scene.server.addAddress("end.example.org", "192.0.2.1");
    const Scene::Answer answer =
        scene.answerTo({.kind = Kind::HostByName, .name = "web.example.org", .family = AddressFamily::IPv4});
    CHECK(answer.entry.name == "end.example.org");
    CHECK(answer.entry.aliases == Strings{"web.example.org", "alias.example.org"});
    CHECK(hostsOf(answer.entry) == Strings{"192.0.2.1:0"});
    CHECK(answer.entry.timeToLive == 50s);
}

TEST_CASE("an address has a name, of either family") {
    Scene scene;
    scene.server.addName("1.2.0.192.in-addr.arpa", DnsServer::kPtr, "four.example.org");
    scene.server.addName("1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", DnsServer::kPtr,
                         "six.example.org");
    const auto nameOf = [&](const Address& address) {
        const Scene::Answer answer = scene.answerTo({.kind = Kind::HostByAddress, .address = address});
        CHECK(answer.entry.addresses == std::vector{address});
        return answer.entry.name;
    };
    CHECK(nameOf(Address::ipv4("192.0.2.1", 0)) == "four.example.org");
    CHECK(nameOf(Address::ipv6("2001:db8::1", 0)) == "six.example.org");
    const Failure failure =
        scene.answerTo({.kind = Kind::HostByAddress, .address = Address::ipv4("192.0.2.9", 0)}).failure;
    CHECK(failure.check<DNSLookupError>());
    CHECK(failure.getErrorMessage().starts_with("looking up 192.0.2.9: "));
}

TEST_CASE("I17: a name that is not there is a DNSLookupError, which names it and may be remembered") {
    Scene scene;
    scene.server.addAddress("four.example.org", "192.0.2.1");
    for (const NameQuery& query : {NameQuery{.name = "none.example.org"},
                                   NameQuery{.name = "four.example.org", .family = AddressFamily::IPv6}}) {
        const Scene::Answer answer = scene.answerTo(query);
        CHECK(answer.failure.check<DNSLookupError>());
        CHECK(answer.failure.getErrorMessage().starts_with("looking up " + query.name + ": "));
        CHECK(answer.entry.timeToLive == std::nullopt);
    }
}

TEST_CASE("a failure of the server's may pass, and is not remembered") {
    Scene scene;
    scene.server.setBroken("broken.example.org");
    const Scene::Answer answer = scene.answerTo({.name = "broken.example.org", .family = AddressFamily::IPv4});
    CHECK(answer.failure.check<DNSLookupError>());
    CHECK(answer.entry.timeToLive == 0s);
}

TEST_CASE("I19: a server that does not answer is asked as often as wanted, and then the look-up fails") {
    Scene scene(1ms);
    scene.server.setSilent("silent.example.org");
    const Scene::Answer answer = scene.answerTo({.name = "silent.example.org", .family = AddressFamily::IPv4});
    CHECK(answer.failure.check<DNSLookupError>());
    CHECK(answer.failure.getErrorMessage().starts_with("looking up silent.example.org: "));
    CHECK(answer.entry.timeToLive == 0s);
    scene.server.serve();
    CHECK(scene.server.asked() == Strings(2, "silent.example.org A"));
}

TEST_CASE("an answer that does not fit into a datagram is asked for by TCP") {
    Scene scene;
    scene.server.setTruncated("www.example.org");
    const Scene::Answer answer = scene.answerTo({.name = "www.example.org", .family = AddressFamily::IPv4});
    CHECK(hostsOf(answer.entry) == Strings{"127.0.0.1:0", "127.0.0.2:0"});
    CHECK(scene.server.asked() == Strings{"www.example.org A", "www.example.org A tcp"});
}

TEST_CASE("a name that cannot be fails in a later phase, and nobody is asked") {
    Scene scene;
    CHECK(scene.answerTo({.name = std::string(300, 'x')}).failure.check<DNSLookupError>());
    CHECK(scene.answerTo({.name = std::string("www.example.org\0.evil", 21)}).failure.getErrorMessage() ==
          "looking up www.example.org: a zero byte in the name");
    CHECK(scene.answerTo({.kind = Kind::HostByAddress}).failure.check<DNSLookupError>());
    CHECK(scene.server.asked().empty());
}

TEST_CASE("many look-ups at once are answered, each with its own") {
    Scene scene;
    std::vector<Lookup> lookups;
    constexpr int kCount = 100;
    std::vector<std::string> answers(kCount);
    for (int i = 0; i < kCount; ++i) {
        const std::string name = "h" + std::to_string(i) + ".example.org";
        scene.server.addAddress(name, "192.0.2." + std::to_string(i));
        lookups.push_back(scene.resolver->resolve(
            name, 80, AddressFamily::IPv4, [&answers, i](std::vector<Address> all, const Failure& failure) {
                answers[static_cast<std::size_t>(i)] = failure ? failure.getErrorMessage() : all.front().toString();
            }));
    }
    CHECK(runUntil(*scene.reactor, [&] {
        scene.server.serve();
        return std::none_of(answers.begin(), answers.end(), [](const auto& each) { return each.empty(); });
    }));
    for (int i = 0; i < kCount; ++i)
        CHECK(answers[static_cast<std::size_t>(i)] == "192.0.2." + std::to_string(i) + ":80");
}

TEST_CASE("look-ups beyond the limit fail, in a later phase") {
    Scene scene;
    std::vector<Lookup> lookups;
    for (std::size_t i = 0; i < CaresResolver::kMaxUnderWay; ++i)
        lookups.push_back(scene.lookUp({.name = "www.example.org", .family = AddressFamily::IPv4}));
    std::optional<Scene::Answer> answer;
    const Lookup tooMany =
        scene.resolver->lookUp({.name = "one.too.many"}, [&](NameEntry entry, const Failure& failure) {
            answer = {std::move(entry), failure};
        });
    CHECK_FALSE(answer);
    CHECK(runUntil(*scene.reactor, [&] { return answer.has_value(); }));
    CHECK(answer->failure.getErrorMessage() == "looking up one.too.many: 1024 look-ups are under way");
    CHECK(answer->entry.timeToLive == 0s);
    lookups.clear();
    scene.answers.clear();
    CHECK_FALSE(scene.answerTo({.name = "www.example.org"}).failure);
}

TEST_CASE("abandoned look-ups tell nobody, and leave nothing behind that keeps the loop alive") {
    HostLoop loop;
    DnsServer server;
    server.setSilent("silent.example.org");
    const std::string servers = server.name();
    int answers = 0;
    {
        UvReactor reactor(loop.get());
        CaresResolver resolver(reactor, asking(servers));
        const auto begin = [&] {
            return resolver.resolve("silent.example.org", 0, AddressFamily::Any,
                                    [&](std::vector<Address>, const Failure&) { ++answers; });
        };
        Lookup first = begin();
        Lookup second = begin();
        HostTimer later(loop, 1, [&] { first.reset(); });
        HostTimer latest(loop, 2, [&] { second.reset(); });
        loop.run();
    }
    CHECK(answers == 0);
    loop.run();
}

TEST_CASE("an answer may destroy its look-up, abandon others, ask again and replace the resolver") {
    Scene scene;
    Lookup first;
    Lookup second;
    Lookup again;
    int answered = 0;
    first =
        scene.resolver->resolve("www.example.org", 0, AddressFamily::IPv4, [&](std::vector<Address>, const Failure&) {
            ++answered;
            second.reset();
            again = scene.lookUp({.name = "www.example.org"});
            scene.resolver.reset();
            first.reset();
        });
    second = scene.lookUp({.name = "www.example.org", .family = AddressFamily::IPv4});
    CHECK(runUntil(*scene.reactor, [&] {
        scene.server.serve();
        return answered == 1 && !scene.answers.empty();
    }));
    CHECK(scene.answers.size() <= 2); // the second's may have come first
    CHECK(scene.answers.back().entry.addresses.size() >= 2);
}

TEST_CASE("a resolver that is replaced answers what it was asked") {
    Scene scene;
    const Lookup lookup = scene.lookUp({.name = "www.example.org"});
    scene.resolver.reset();
    CHECK(scene.runUntilAnswered(1));
    CHECK_FALSE(scene.answers.front().failure);
}

TEST_CASE("the reactor's end ends look-ups that are held beyond it, unanswered") {
    Scene scene;
    scene.server.setSilent("silent.example.org");
    Lookup early = scene.lookUp({.name = "silent.example.org"});
    const Lookup late = scene.lookUp({.name = "silent.example.org"});
    runTurns(*scene.reactor, 3);
    scene.reactor.reset();
    early.reset();
    CHECK(scene.answers.empty());
    CHECK_THROWS_AS(static_cast<void>(scene.lookUp({.name = "www.example.org"})), ReactorNotRunning);
}

TEST_CASE("a Deferred that waits for a name server fails with the reactor's end, or its time limit") {
    Scene scene;
    scene.server.setSilent("silent.example.org");
    scene.reactor->setResolver(std::move(scene.resolver));
    std::vector<Failure> failures;
    const auto note = [&](const Failure& failure) { failures.push_back(failure); };
    resolve(*scene.reactor, "silent.example.org", 80, {.timeout = 1ms}).addErrback(note).detach();
    CHECK(runUntil(*scene.reactor, [&] { return !failures.empty(); }));
    CHECK(failures.front().getErrorMessage() == "looking up silent.example.org: no answer within 1 ms");
    resolve(*scene.reactor, "silent.example.org", 80).addErrback(note).detach();
    runTurns(*scene.reactor, 3);
    scene.reactor.reset();
    REQUIRE(failures.size() == 2);
    CHECK(failures.back().check<CancelledError>());
}

TEST_CASE("connections are made to names that c-ares looks up, once with a cache before it") {
    Scene scene;
    auto cache = std::make_unique<CachingResolver>(*scene.reactor, std::move(scene.resolver));
    const CachingResolver& kept = *cache;
    scene.reactor->setResolver(std::move(cache));
    const auto port = scene.reactor->listenTCP(0, Factory::forProtocol<Protocol>(), {.interface = "127.0.0.1"});
    for (int made = 1; made <= 2; ++made) {
        const auto factory = HookedFactory::make();
        const auto connector = scene.reactor->connectTCP("www.example.org", port->getHost().port(), factory);
        CHECK(runUntil(*scene.reactor, [&] {
            scene.server.serve();
            return connector->state() == Connector::State::Connected;
        }));
    }
    CHECK(kept.stats().misses == 1);
    CHECK(kept.stats().hits == 1);
    CHECK(scene.server.asked().size() == 2);
}

TEST_CASE("services and protocols are the system's") {
    Scene scene;
    const Failure failure =
        scene.answerTo({.kind = Kind::ServiceByName, .name = "no-such-service", .protocol = "tcp"}).failure;
    CHECK(failure.check<ServiceNameUnknownError>());
    CHECK_THROWS_AS(static_cast<void>(scene.resolver->getServicePort("no-such-service", "tcp")),
                    ServiceNameUnknownError);
}

TEST_CASE("servers that are none are refused by name, and so are times and tries that cannot be") {
    UvReactor reactor;
    const auto make = [&](const CaresOptions& options) { CaresResolver resolver(reactor, options); };
    CHECK_THROWS_AS(make({.servers = "nonsense"}), std::invalid_argument);
    CHECK_THROWS_AS(make({.tryTimeout = 0ms}), std::invalid_argument);
    CHECK_THROWS_AS(make({.tries = 0}), std::invalid_argument);
}
