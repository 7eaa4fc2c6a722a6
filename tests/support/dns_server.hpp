#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace torsion::test {

/// A name server on 127.0.0.1, by UDP and TCP on one port, that knows what a case tells it. It never waits: `serve()`
/// answers what has arrived. Throws std::system_error when the system refuses something.
class DnsServer {
public:
    static constexpr std::uint16_t kA = 1;
    static constexpr std::uint16_t kCname = 5;
    static constexpr std::uint16_t kPtr = 12;
    static constexpr std::uint16_t kAaaa = 28;

    DnsServer();
    DnsServer(const DnsServer&) = delete;
    DnsServer& operator=(const DnsServer&) = delete;
    ~DnsServer();

    /// "127.0.0.1:PORT"
    std::string name() const;

    /// An A or AAAA record.
    void addAddress(std::string_view owner, std::string_view address, std::uint32_t timeToLive = 300);

    /// A CNAME or PTR record.
    void addName(std::string_view owner, std::uint16_t type, std::string_view target, std::uint32_t timeToLive = 300);

    /// Questions about this name are not answered.
    void setSilent(std::string_view owner) { silent_.insert(std::string(owner)); }

    /// Questions about this name are answered with SERVFAIL.
    void setBroken(std::string_view owner) { broken_.insert(std::string(owner)); }

    /// Answers about this name do not fit into a datagram.
    void setTruncated(std::string_view owner) { truncated_.insert(std::string(owner)); }

    /// Answers what has arrived since.
    void serve();

    /// What was asked so far: "example.org A", "example.org AAAA tcp".
    const std::vector<std::string>& asked() const noexcept { return asked_; }

private:
    struct Record {
        std::string owner;
        std::uint16_t type;
        std::uint32_t timeToLive;
        std::string data;
    };
    struct Peer {
        int fd = -1;
        std::string input;
    };

    void serveUdp();
    void servePeer(Peer& peer);
    bool bindBoth();
    void closeBoth() noexcept;

    /// @returns the answer, empty for none.
    std::string answer(std::string_view question, bool overTcp);

    int udp_ = -1;
    int tcp_ = -1;
    std::vector<Peer> peers_;
    std::vector<Record> records_;
    std::set<std::string> silent_;
    std::set<std::string> broken_;
    std::set<std::string> truncated_;
    std::vector<std::string> asked_;
};

} // namespace torsion::test
