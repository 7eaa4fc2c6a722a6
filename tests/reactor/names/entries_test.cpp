#include "support/deferred_result.hpp"
#include "support/log_capture.hpp"

#include <reactor/errors.hpp>
#include <reactor/names.hpp>
#include <reactor/testing/memory_reactor.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <source_location>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace torsion;
using namespace torsion::test;
using namespace std::chrono_literals;

namespace {

/// A machine that knows the names of these tests.
struct Machine {
    Machine() {
        testing::ScriptResolver& names = reactor.names();
        names.setHost("www.example.org", {.addresses = {"192.0.2.1", "2001:db8::1"}, .aliases = {"www", "web"}});
        names.setHost("plain", {.addresses = {"192.0.2.2"}, .aliases = {"alias", "plain.example.org"}});
        names.setSilent("silent");
        names.setService("http", 80, "tcp", {"www"});
        names.setService("ntp", 123, "udp");
        names.setProtocol("tcp", 6, {"TCP"});
    }

    /// Lets it happen.
    template <class T>
    Result<T> resultOf(Deferred<T> deferred) {
        std::vector<Result<T>> results;
        std::move(deferred).addBoth([&](Result<T> result) { results.push_back(std::move(result)); }).detach();
        reactor.advance(1s);
        REQUIRE(results.size() == 1);
        return std::move(results.front());
    }

    testing::MemoryReactor reactor;
};

/// Knows addresses and nothing else.
class AddressResolver final : public Resolver {
public:
    std::unique_ptr<Lookup> resolve(const std::string&, std::uint16_t, AddressFamily, Callback) override {
        return std::make_unique<Lookup>();
    }
};

/// Whether a Deferred was made on that line of this file.
template <class T>
bool isIn(Deferred<T> deferred, int line) {
    const std::source_location place = deferred.place();
    std::move(deferred).addErrback([](const Failure&) {}).detach();
    CHECK(std::string_view(place.file_name()).ends_with("entries_test.cpp"));
    return place.line() == static_cast<std::uint_least32_t>(line);
}

} // namespace

TEST_CASE("getHostByNameEx gives the official name, the aliases and the addresses") {
    Machine machine;
    for (const char* name : {"www.example.org", "web"}) {
        const HostEntry host = machine.resultOf(getHostByNameEx(machine.reactor, name)).value();
        CHECK(host.name == "www.example.org");
        CHECK(host.aliases == std::vector<std::string>{"www", "web"});
        CHECK(host.addresses == std::vector{Address::ipv4("192.0.2.1", 0), Address::ipv6("2001:db8::1", 0)});
    }
    auto four = getHostByNameEx(machine.reactor, "www", {.family = AddressFamily::IPv4});
    CHECK(machine.resultOf(std::move(four))->addresses == std::vector{Address::ipv4("192.0.2.1", 0)});
}

TEST_CASE("a numeric address is its own name, at once, and nobody is asked") {
    Machine machine;
    const HostEntry host = valueOf(getHostByNameEx(machine.reactor, "::1"));
    CHECK(host.name == "::1");
    CHECK(host.addresses == std::vector{Address::ipv6("::1", 0)});
    CHECK(resultOf(getHostByNameEx(machine.reactor, "::1", {.family = AddressFamily::IPv4})
                       .addCallback([](const HostEntry&) {})) == "DNSLookupError");
    CHECK(machine.reactor.names().queries().empty());
}

TEST_CASE("getHostByAddr gives the host that has an address, whatever its port") {
    Machine machine;
    CHECK(machine.resultOf(getHostByAddr(machine.reactor, "2001:db8::1"))->name == "www.example.org");
    const Address address = Address::ipv4("192.0.2.2", 8080);
    CHECK(machine.resultOf(getHostByAddr(machine.reactor, address))->name == "plain");
    const Failure failure = machine.resultOf(getHostByAddr(machine.reactor, "192.0.2.99")).failure();
    CHECK(failure.check<DNSLookupError>());
    CHECK(failure.getErrorMessage() == "looking up 192.0.2.99: not known");
}

TEST_CASE("getHostByAddr takes numeric addresses alone") {
    Machine machine;
    CHECK_THROWS_AS(getHostByAddr(machine.reactor, "www.example.org").detach(), InvalidAddressError);
    CHECK_THROWS_AS(getHostByAddr(machine.reactor, Address::unixPath("/x")).detach(), InvalidAddressError);
    CHECK_THROWS_AS(getHostByAddr(machine.reactor, Address::none()).detach(), InvalidAddressError);
}

TEST_CASE("services are found by name, by alias and by port, for a protocol or any") {
    Machine machine;
    testing::MemoryReactor& reactor = machine.reactor;
    const ServiceEntry http = machine.resultOf(getServiceByName(reactor, "www")).value();
    CHECK(http.name == "http");
    CHECK(http.aliases == std::vector<std::string>{"www"});
    CHECK(http.port == 80);
    CHECK(http.protocol == "tcp");
    CHECK(machine.resultOf(getServiceByPort(reactor, 123, "udp"))->name == "ntp");
    CHECK(machine.resultOf(getServiceByName(reactor, "ntp", ""))->protocol == "udp");
}

TEST_CASE("a service that is not known fails with ServiceNameUnknownError, which names it") {
    Machine machine;
    const Failure name = machine.resultOf(getServiceByName(machine.reactor, "ntp")).failure();
    CHECK(name.check<ServiceNameUnknownError>());
    CHECK(name.getErrorMessage() == "looking up service ntp/tcp: not known");
    const Failure port = machine.resultOf(getServiceByPort(machine.reactor, 81)).failure();
    CHECK(port.getErrorMessage() == "looking up service 81/tcp: not known");
}

TEST_CASE("protocols are found by name, by alias and by number") {
    Machine machine;
    CHECK(machine.resultOf(getProtocolByName(machine.reactor, "TCP"))->number == 6);
    CHECK(machine.resultOf(getProtocolByNumber(machine.reactor, 6))->name == "tcp");
    const Failure failure = machine.resultOf(getProtocolByName(machine.reactor, "nonsense")).failure();
    CHECK(failure.check<DNSLookupError>());
    CHECK(failure.getErrorMessage() == "looking up protocol nonsense: not known");
}

TEST_CASE("getFQDN gives the first name with a dot, or the official one, or what was given") {
    Machine machine;
    testing::MemoryReactor& reactor = machine.reactor;
    CHECK(machine.resultOf(getFQDN(reactor, "web")).value() == "www.example.org");
    CHECK(machine.resultOf(getFQDN(reactor, "192.0.2.2")).value() == "plain.example.org");
    CHECK(machine.resultOf(getFQDN(reactor, "localhost")).value() == "localhost");
    CHECK(machine.resultOf(getFQDN(reactor, "unknown")).value() == "unknown");
    CHECK(machine.resultOf(getFQDN(reactor, "silent", {.timeout = 500ms})).value() == "silent");
    reactor.names().setHost("this.example.org", {.addresses = {"192.0.2.9"}, .aliases = {getHostName()}});
    CHECK(machine.resultOf(getFQDN(reactor)).value() == "this.example.org");
    CHECK(machine.resultOf(getFQDN(reactor, "0.0.0.0")).value() == "this.example.org");
}

TEST_CASE("getFQDN can be cancelled") {
    Machine machine;
    Deferred<std::string> name = getFQDN(machine.reactor, "silent");
    name.cancel();
    CHECK(resultOf(std::move(name)) == "CancelledError");
    CHECK(machine.reactor.getDelayedCalls().empty());
}

TEST_CASE("I19: each look-up has a time limit, and its failure says so") {
    Machine machine;
    machine.reactor.names().setHost("slow", {.addresses = {"192.0.2.3"}, .delay = 2s});
    const Failure failure = machine.resultOf(getHostByNameEx(machine.reactor, "slow", {.timeout = 999ms})).failure();
    CHECK(failure.check<DNSLookupError>());
    CHECK(failure.getErrorMessage() == "looking up slow: no answer within 999 ms");
    const Failure address = machine.resultOf(getHostByAddr(machine.reactor, "192.0.2.3", {.timeout = 999ms})).failure();
    CHECK(address.getErrorMessage() == "looking up 192.0.2.3: no answer within 999 ms");
}

TEST_CASE("what a resolver of addresses alone is asked besides fails, and names it") {
    Machine machine;
    machine.reactor.setResolver(std::make_unique<AddressResolver>());
    Deferred<HostEntry> host = getHostByAddr(machine.reactor, "192.0.2.1");
    CHECK(machine.resultOf(std::move(host)).failure().getErrorMessage() ==
          "looking up 192.0.2.1: the resolver knows addresses alone");
    CHECK(machine.resultOf(getServiceByName(machine.reactor, "http")).failure().check<ServiceNameUnknownError>());
}

TEST_CASE("the machine has a name") {
    CHECK_FALSE(getHostName().empty());
}

TEST_CASE("questions that no answer can have are refused") {
    testing::MemoryReactor reactor;
    CHECK_THROWS_AS(getHostByNameEx(reactor, "").detach(), std::invalid_argument);
    CHECK_THROWS_AS(getHostByNameEx(reactor, "x", {.timeout = -1ms}).detach(), std::invalid_argument);
    CHECK_THROWS_AS(getFQDN(reactor, "x", {.timeout = -1ms}).detach(), std::invalid_argument);
    CHECK_THROWS_AS(getServiceByName(reactor, "").detach(), std::invalid_argument);
    CHECK_THROWS_AS(getServiceByPort(reactor, 65536).detach(), std::invalid_argument);
    CHECK_THROWS_AS(getProtocolByName(reactor, "").detach(), std::invalid_argument);
    CHECK_THROWS_AS(getProtocolByNumber(reactor, 256).detach(), std::invalid_argument);
}

TEST_CASE("inetPton and inetNtop go between text and bytes, and check both") {
    CHECK(inetPton(AddressFamily::IPv4, "192.0.2.7") == std::string("\xc0\0\x02\x07", 4));
    CHECK(inetNtop(AddressFamily::IPv4, std::string("\xc0\0\x02\x07", 4)) == "192.0.2.7");
    CHECK(inetNtop(AddressFamily::Any, inetPton(AddressFamily::IPv6, "2001:DB8::0:1")) == "2001:db8::1");
    CHECK_THROWS_WITH_AS(inetPton(AddressFamily::IPv4, "::1"), "'::1' is no IPv4 address", InvalidAddressError);
    CHECK_THROWS_WITH_AS(inetPton(AddressFamily::Any, "example.org"),
                         "'example.org' is neither an IPv4 nor an IPv6 address", InvalidAddressError);
    CHECK_THROWS_AS(inetPton(AddressFamily::IPv6, "fe80::1%1"), InvalidAddressError);
    CHECK_THROWS_WITH_AS(inetNtop(AddressFamily::IPv6, "abcd"), "4 bytes are no IPv6 address", InvalidAddressError);
    CHECK_THROWS_AS(inetNtop(AddressFamily::Any, "abc"), InvalidAddressError);
}

TEST_CASE("a look-up has the place of the call") {
    Machine machine;
    testing::MemoryReactor& reactor = machine.reactor;
    const Address address = Address::ipv4("192.0.2.1", 0);
    CHECK(isIn(resolve(reactor, "silent", 80), __LINE__));
    CHECK(isIn(resolve(reactor, "127.0.0.1", 80), __LINE__));
    CHECK(isIn(resolve(reactor, "127.0.0.1", 80, {.family = AddressFamily::IPv6}), __LINE__));
    CHECK(isIn(getHostByName(reactor, "silent"), __LINE__));
    CHECK(isIn(getHostByNameEx(reactor, "silent"), __LINE__));
    CHECK(isIn(getHostByNameEx(reactor, "::1"), __LINE__));
    CHECK(isIn(getHostByNameEx(reactor, "::1", {.family = AddressFamily::IPv4}), __LINE__));
    CHECK(isIn(getHostByAddr(reactor, address), __LINE__));
    CHECK(isIn(getHostByAddr(reactor, "192.0.2.1"), __LINE__));
    CHECK(isIn(getFQDN(reactor, "silent"), __LINE__));
    CHECK(isIn(getServiceByName(reactor, "http"), __LINE__));
    CHECK(isIn(getServiceByPort(reactor, 80), __LINE__));
    CHECK(isIn(getProtocolByName(reactor, "tcp"), __LINE__));
    CHECK(isIn(getProtocolByNumber(reactor, 6), __LINE__));
}

TEST_CASE("a look-up's failure that nobody handles is logged with the place of the call") {
    const LogCapture logged;
    Machine machine;
    const int line = __LINE__ + 1;
    getHostByName(machine.reactor, "unknown").detach();
    machine.reactor.advance(1s);
    CHECK(logged.contains("entries_test.cpp:" + std::to_string(line) + ")"));
}
