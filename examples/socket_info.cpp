// What the name services say: of this machine, of hosts, of a service; and the order of bytes on the network.

#include "support/program.hpp"

#include <reactor/byte_order.hpp>
#include <reactor/caching_resolver.hpp>
#include <reactor/coroutine.hpp>
#include <reactor/names.hpp>

#include <spdlog/fmt/fmt.h>

#include <bit>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace {

std::string hexOf(std::string_view bytes) {
    std::string hex;
    for (const char byte : bytes)
        hex += fmt::format("{:02x}", static_cast<unsigned char>(byte));
    return hex;
}

std::string listOf(const std::vector<std::string>& names) {
    return names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "));
}

/// "a,b" as a and b.
std::vector<std::string> split(std::string_view names) {
    std::vector<std::string> result;
    while (!names.empty()) {
        const std::size_t comma = names.find(',');
        result.emplace_back(names.substr(0, comma));
        names.remove_prefix(comma == std::string_view::npos ? names.size() : comma + 1);
    }
    return result;
}

torsion::Deferred<void> showMachine(torsion::Reactor& reactor) {
    fmt::print("host name: {}\n", torsion::getHostName());
    const std::string fqdn = co_await torsion::getFQDN(reactor);
    fmt::print("fully qualified: {}\n", fqdn);
    const bool little = std::endian::native == std::endian::little;
    const std::uint32_t number = 0x12345678;
    fmt::print("byte order: {} endian; 0x{:08x} is 0x{:08x} in network order, and 0x{:08x} back again\n",
               little ? "little" : "big", number, torsion::toNetworkOrder(number),
               torsion::fromNetworkOrder(torsion::toNetworkOrder(number)));
}

// What is not known is worth a line, and no failure of the program.
torsion::Deferred<void> showService(torsion::Reactor& reactor, int port) {
    for (const char* protocol : {"tcp", "udp"}) {
        auto looking = torsion::asResult(torsion::getServiceByPort(reactor, port, protocol));
        const auto service = co_await std::move(looking);
        auto asking = torsion::asResult(torsion::getProtocolByName(reactor, protocol));
        const auto known = co_await std::move(asking);
        fmt::print("port {} of {} (protocol {}): {}\n", port, protocol, known ? fmt::to_string(known->number) : "?",
                   service ? service->name : "no service");
    }
}

torsion::Deferred<void> showHost(torsion::Reactor& reactor, std::string name) {
    const torsion::HostEntry host = co_await torsion::getHostByNameEx(reactor, name);
    fmt::print("{}: official name {}, aliases {}\n", name, host.name, listOf(host.aliases));
    const std::vector<torsion::Address> addresses = co_await torsion::resolve(reactor, name, 0);
    for (const torsion::Address& address : addresses) {
        auto looking = torsion::asResult(torsion::getHostByAddr(reactor, address));
        const auto reverse = co_await std::move(looking);
        fmt::print("  {} (packed {}): {}\n", address.host(), hexOf(address.packed()),
                   reverse ? reverse->name : "no name");
    }
}

torsion::Deferred<void> show(torsion::Reactor& reactor, const examples::Program& program) {
    torsion::CachingResolver::install(reactor); // of names that are given twice the system is asked once
    co_await showMachine(reactor);
    co_await showService(reactor, program.port());
    const std::vector<std::string> names = split(program.host());
    for (const std::string& name : names)
        co_await showHost(reactor, name);
}

} // namespace

int main(int argc, char** argv) {
    examples::Program program("Says what the name services know of --host (several with commas) and of --port.",
                              examples::Role::Client, 80);
    return program.react(argc, argv, [&](torsion::Reactor& reactor) { return show(reactor, program); });
}
