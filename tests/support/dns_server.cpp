#include "support/dns_server.hpp"

#include <reactor/address.hpp>
#include <reactor/byte_order.hpp>

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <system_error>
#include <utility>

namespace torsion::test {

namespace {

constexpr std::size_t kHeader = 12;
constexpr std::uint16_t kAnswer = 0x8180; // a response, recursion desired and available
constexpr std::uint16_t kTruncated = 0x0200;
constexpr std::uint16_t kServerFailure = 2;
constexpr std::uint16_t kNoSuchName = 3;
constexpr std::uint16_t kInternet = 1;

void require(bool worked, const char* what) {
    if (!worked)
        throw std::system_error(errno, std::generic_category(), what);
}

template <class T>
void append(std::string& to, T value) {
    value = toNetworkOrder(value);
    to.append(reinterpret_cast<const char*>(&value), sizeof value);
}

std::uint16_t numberAt(std::string_view data, std::size_t place) {
    std::uint16_t value = 0;
    if (place + sizeof value <= data.size())
        std::memcpy(&value, data.data() + place, sizeof value);
    return fromNetworkOrder(value);
}

/// "www.example.org" as labels with their lengths before them.
std::string encoded(std::string_view name) {
    std::string result;
    while (!name.empty()) {
        const std::size_t dot = std::min(name.find('.'), name.size());
        result += static_cast<char>(dot);
        result += name.substr(0, dot);
        name.remove_prefix(std::min(dot + 1, name.size()));
    }
    return result + '\0';
}

/// The name at the beginning of a question, and how many bytes it takes; queries have no pointers.
std::pair<std::string, std::size_t> decoded(std::string_view data) {
    std::string name;
    std::size_t place = 0;
    while (place < data.size() && data[place] != '\0') {
        const auto length = static_cast<unsigned char>(data[place]);
        if (!name.empty())
            name += '.';
        name += data.substr(place + 1, length);
        place += 1U + length;
    }
    return {name, place + 1};
}

std::string typeName(std::uint16_t type) {
    switch (type) {
    case DnsServer::kA:
        return "A";
    case DnsServer::kAaaa:
        return "AAAA";
    case DnsServer::kPtr:
        return "PTR";
    default:
        return std::to_string(type);
    }
}

sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = toNetworkOrder(port);
    address.sin_addr.s_addr = toNetworkOrder(std::uint32_t{INADDR_LOOPBACK});
    return address;
}

std::uint16_t portOf(int fd) {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    require(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0, "getsockname");
    return fromNetworkOrder(address.sin_port);
}

} // namespace

// The kernel chooses a port of UDP; of TCP it may be somebody else's.
DnsServer::DnsServer() {
    constexpr int kTries = 20;
    for (int i = 0; i < kTries; ++i) {
        if (bindBoth())
            return;
        closeBoth();
    }
    require(false, "a name server's port");
}

DnsServer::~DnsServer() {
    closeBoth();
}

void DnsServer::closeBoth() noexcept {
    for (Peer& peer : peers_)
        ::close(peer.fd);
    if (udp_ >= 0)
        ::close(std::exchange(udp_, -1));
    if (tcp_ >= 0)
        ::close(std::exchange(tcp_, -1));
}

bool DnsServer::bindBoth() {
    udp_ = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    tcp_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    require(udp_ >= 0 && tcp_ >= 0, "socket");
    sockaddr_in address = loopback(0);
    require(::bind(udp_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0, "bind");
    address = loopback(portOf(udp_));
    return ::bind(tcp_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 && ::listen(tcp_, 8) == 0;
}

std::string DnsServer::name() const {
    return "127.0.0.1:" + std::to_string(portOf(udp_));
}

void DnsServer::addAddress(std::string_view owner, std::string_view address, std::uint32_t timeToLive) {
    const Address parsed = Address::parse(address, 0);
    records_.push_back({std::string(owner), parsed.isIPv4() ? kA : kAaaa, timeToLive, parsed.packed()});
}

void DnsServer::addName(std::string_view owner, std::uint16_t type, std::string_view target, std::uint32_t timeToLive) {
    records_.push_back({std::string(owner), type, timeToLive, encoded(target)});
}

void DnsServer::serve() {
    serveUdp();
    for (int fd = 0; (fd = ::accept4(tcp_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0;)
        peers_.push_back({fd, {}});
    for (Peer& peer : peers_)
        servePeer(peer);
}

void DnsServer::serveUdp() {
    std::array<char, 4096> buffer;
    sockaddr_in from{};
    for (;;) {
        socklen_t size = sizeof from;
        const ssize_t count =
            ::recvfrom(udp_, buffer.data(), buffer.size(), 0, reinterpret_cast<sockaddr*>(&from), &size);
        if (count < 0)
            return;
        const std::string reply = answer({buffer.data(), static_cast<std::size_t>(count)}, false);
        if (!reply.empty())
            ::sendto(udp_, reply.data(), reply.size(), 0, reinterpret_cast<const sockaddr*>(&from), size);
    }
}

// By TCP each message has its length before it.
void DnsServer::servePeer(Peer& peer) {
    std::array<char, 4096> buffer;
    for (ssize_t count = 0; (count = ::recv(peer.fd, buffer.data(), buffer.size(), 0)) > 0;)
        peer.input.append(buffer.data(), static_cast<std::size_t>(count));
    while (peer.input.size() >= 2U && peer.input.size() >= 2U + numberAt(peer.input, 0)) {
        const std::size_t length = numberAt(peer.input, 0);
        const std::string reply = answer(std::string_view(peer.input).substr(2, length), true);
        peer.input.erase(0, 2 + length);
        std::string framed;
        append(framed, static_cast<std::uint16_t>(reply.size()));
        framed += reply;
        if (!reply.empty())
            require(::send(peer.fd, framed.data(), framed.size(), MSG_NOSIGNAL) > 0, "send");
    }
}

std::string DnsServer::answer(std::string_view question, bool overTcp) {
    if (question.size() < kHeader)
        return {};
    const auto [name, length] = decoded(question.substr(kHeader));
    const std::uint16_t type = numberAt(question, kHeader + length);
    asked_.push_back(name + " " + typeName(type) + (overTcp ? " tcp" : ""));
    if (silent_.contains(name))
        return {};
    const bool cut = !overTcp && truncated_.contains(name);
    std::string target = name; // where CNAMEs lead to
    std::string answers;
    std::uint16_t count = 0;
    bool known = false;
    for (const Record& each : records_) {
        known = known || each.owner == target;
        if (cut || each.owner != target || (each.type != type && each.type != kCname))
            continue;
        answers += encoded(each.owner);
        append(answers, each.type);
        append(answers, kInternet);
        append(answers, each.timeToLive);
        append(answers, static_cast<std::uint16_t>(each.data.size()));
        answers += each.data;
        ++count;
        if (each.type == kCname)
            target = decoded(each.data).first;
    }
    std::uint16_t flags = kAnswer;
    if (cut)
        flags |= kTruncated;
    if (broken_.contains(name))
        flags |= kServerFailure;
    else if (!known)
        flags |= kNoSuchName;
    std::string reply(question.substr(0, 2));
    append(reply, flags);
    append(reply, std::uint16_t{1});
    append(reply, count);
    append(reply, std::uint32_t{0}); // no authorities, nothing additional
    reply += question.substr(kHeader, length + 4);
    return reply + answers;
}

} // namespace torsion::test
