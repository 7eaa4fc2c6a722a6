#include "support/run_until.hpp"

#include <reactor/detail/system_names.hpp>
#include <reactor/errors.hpp>
#include <reactor/libuv/uv_reactor.hpp>
#include <reactor/names.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

using namespace torsion;
using detail::NameAnswer;
using detail::querySystem;
using Kind = NameQuery::Kind;

namespace {

/// /etc/hosts says which of its names is the official one.
template <class Entry>
bool isCalled(const Entry& entry, const std::string& name) {
    return entry.name == name || std::find(entry.aliases.begin(), entry.aliases.end(), name) != entry.aliases.end();
}

} // namespace

TEST_CASE("S-105: localhost is a loopback address") {
    const NameAnswer answer = querySystem({.name = "localhost"});
    REQUIRE_FALSE(answer.entry.addresses.empty());
    for (const Address& each : answer.entry.addresses)
        CHECK(each.isLoopback());
}

TEST_CASE("I18: the system is asked for the family alone that is wanted") {
    for (const Address& each : querySystem({.name = "localhost", .family = AddressFamily::IPv4}).entry.addresses)
        CHECK(each == Address::ipv4("127.0.0.1", 0));
    // A machine may know ::1 by another name, or not at all.
    for (const Address& each : querySystem({.name = "localhost", .family = AddressFamily::IPv6}).entry.addresses)
        CHECK(each.isIPv6());
    CHECK(querySystem({.name = "::1", .family = AddressFamily::IPv4}).failure.check<DNSLookupError>());
}

TEST_CASE("S-105: a name that cannot be is a DNSLookupError that names the host and the system's reason") {
    const std::string host(300, 'x');
    for (const Kind kind : {Kind::Addresses, Kind::HostByName}) {
        const NameAnswer answer = querySystem({.kind = kind, .name = host});
        CHECK(answer.entry.addresses.empty());
        CHECK(answer.failure.check<DNSLookupError>());
        const std::string message = answer.failure.getErrorMessage();
        CHECK(message.starts_with("looking up " + host + ": "));
        CHECK(message.size() > host.size() + 14);
    }
    const NameAnswer cut = querySystem({.name = std::string("localhost\0.evil", 15)});
    CHECK(cut.failure.getErrorMessage() == "looking up localhost: a zero byte in the name");
}

TEST_CASE("a host comes with its official name and its addresses, by name and by address") {
    const NameAnswer byName =
        querySystem({.kind = Kind::HostByName, .name = "localhost", .family = AddressFamily::IPv4});
    REQUIRE_FALSE(byName.failure);
    CHECK(isCalled(byName.entry, "localhost"));
    REQUIRE_FALSE(byName.entry.addresses.empty());
    CHECK(byName.entry.addresses.front() == Address::ipv4("127.0.0.1", 0));

    const NameAnswer byAddress = querySystem({.kind = Kind::HostByAddress, .address = Address::ipv4("127.0.0.1", 0)});
    REQUIRE_FALSE(byAddress.failure);
    CHECK(isCalled(byAddress.entry, "localhost"));
    CHECK(byAddress.entry.addresses.front() == Address::ipv4("127.0.0.1", 0));
}

TEST_CASE("a host of both families has no name twice") {
    const NameAnswer answer = querySystem({.kind = Kind::HostByName, .name = "localhost"});
    REQUIRE_FALSE(answer.failure);
    std::vector<std::string> names = answer.entry.aliases;
    names.push_back(answer.entry.name);
    std::sort(names.begin(), names.end());
    CHECK(std::adjacent_find(names.begin(), names.end()) == names.end());
}

TEST_CASE("what has no name is named by its address; what is no address is no question") {
    CHECK(querySystem({.kind = Kind::HostByAddress}).failure.check<DNSLookupError>());
    CHECK(
        querySystem({.kind = Kind::HostByAddress, .address = Address::unixPath("/x")}).failure.check<DNSLookupError>());
}

// Services and protocols come with every Debian (netbase), but for the barest of containers: there nothing is known,
// and these check as much.
TEST_CASE("services are found by name, alias and port") {
    const NameAnswer http = querySystem({.kind = Kind::ServiceByName, .name = "http", .protocol = "tcp"});
    if (http.failure) {
        CHECK(http.failure.getErrorMessage() == "looking up service http/tcp: not known");
        return;
    }
    CHECK(http.entry.name == "http");
    CHECK(http.entry.number == 80);
    CHECK(http.entry.protocol == "tcp");
    CHECK(querySystem({.kind = Kind::ServiceByPort, .number = 80, .protocol = "tcp"}).entry.name == "http");
    for (const std::string& alias : http.entry.aliases)
        CHECK(querySystem({.kind = Kind::ServiceByName, .name = alias, .protocol = "tcp"}).entry.number == 80);
    CHECK(querySystem({.kind = Kind::ServiceByName, .name = "domain"}).entry.number == 53);
}

TEST_CASE("protocols are found by name and number") {
    const NameAnswer tcp = querySystem({.kind = Kind::ProtocolByName, .name = "tcp"});
    if (tcp.failure) {
        CHECK(tcp.failure.getErrorMessage() == "looking up protocol tcp: not known");
        return;
    }
    CHECK(tcp.entry.number == 6);
    CHECK(querySystem({.kind = Kind::ProtocolByNumber, .number = 17}).entry.name == "udp");
}

TEST_CASE("F11: a service or protocol that is not known is named in its failure") {
    const Failure service =
        querySystem({.kind = Kind::ServiceByName, .name = "no-such-service", .protocol = "tcp"}).failure;
    CHECK(service.check<ServiceNameUnknownError>());
    CHECK(service.getErrorMessage() == "looking up service no-such-service/tcp: not known");
    CHECK(querySystem({.kind = Kind::ServiceByPort, .number = 1, .protocol = "no-such-protocol"})
              .failure.check<ServiceNameUnknownError>());
    const Failure protocol = querySystem({.kind = Kind::ProtocolByName, .name = "no-such-protocol"}).failure;
    CHECK(protocol.check<DNSLookupError>());
    CHECK(protocol.getErrorMessage() == "looking up protocol no-such-protocol: not known");
    CHECK(querySystem({.kind = Kind::ProtocolByNumber, .number = 254}).failure.getErrorMessage() ==
          "looking up protocol 254: not known");
}

TEST_CASE("a UvReactor has all of these asked on threads, and tells of them in a later turn") {
    UvReactor reactor;
    std::vector<std::string> told;
    const auto note = [&](std::string what) { told.push_back(std::move(what)); };
    getHostByNameEx(reactor, "localhost")
        .addCallback([](const HostEntry& host) { return std::string(isCalled(host, "localhost") ? "host" : "wrong"); })
        .addCallback(note)
        .detach();
    getHostByAddr(reactor, "127.0.0.1")
        .addCallback([](const HostEntry& host) { return std::string(isCalled(host, "localhost") ? "addr" : "wrong"); })
        .addCallback(note)
        .detach();
    getServiceByName(reactor, "no-such-service")
        .addCallback([](const ServiceEntry&) { return std::string("wrong"); })
        .addErrback([](const Failure& failure) { return failure.name(); })
        .addCallback(note)
        .detach();
    getFQDN(reactor).addCallback([&](const std::string& name) { note(name.empty() ? "wrong" : "name"); }).detach();
    CHECK(told.empty());
    CHECK(test::runUntil(reactor, [&] { return told.size() == 4; }));
    std::sort(told.begin(), told.end());
    CHECK(told == std::vector<std::string>{"ServiceNameUnknownError", "addr", "host", "name"});
}
