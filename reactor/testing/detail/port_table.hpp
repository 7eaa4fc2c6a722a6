#pragma once

#include <reactor/address.hpp>
#include <reactor/options.hpp>
#include <reactor/testing/detail/memory_host.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <set>
#include <vector>

namespace torsion::testing::detail {

class MemoryChannel;

/// A listening port, as connecting sees it. Shared by the table, which forgets it when it is closed, and its acceptor.
struct Listener {
    Address host;
    bool reusePort = false;
    bool dualStack = false;
    std::size_t backlog = 0;
    MemoryReady* acceptor = nullptr;    ///< null once it is closed
    std::shared_ptr<MemoryHost> home{}; ///< the acceptor's
    StreamOptions stream{};             ///< of accepted connections

    struct Pending {
        MemoryChannel* channel; ///< the accepting side's end; owned
        Address peer;
    };
    std::deque<Pending> pending{};                        ///< connected, and not accepted yet
    core::IntrusiveList<MemoryReady, ReadyTag> waiting{}; ///< attempts for which the backlog had no room

    /// Linux lets one more in than was asked for.
    bool isFull() const noexcept { return pending.size() > backlog; }
};

/// Who uses which port of a network.
class PortTable {
public:
    static constexpr std::uint16_t kFirstEphemeral = 49152;

    /// Opens `listener.host`, whose port may be 0. @returns errno.
    int open(const std::shared_ptr<Listener>& listener);
    void close(Listener& listener) noexcept;

    /// The port that a connection to `target` reaches, or null.
    std::shared_ptr<Listener> find(const Address& target);

    /// Takes a local address for a client; port 0: the next free one. @returns errno.
    int lease(Address& local);
    void release(const Address& local) noexcept { leases_.erase(local); }

private:
    bool isFree(const Listener& wanted) const;
    std::uint16_t nextEphemeral() noexcept;

    std::vector<std::shared_ptr<Listener>> listeners_;
    std::set<Address> leases_;
    std::uint16_t lastEphemeral_ = kFirstEphemeral - 1;
    std::size_t turns_ = 0; // of listeners that share a port
};

/// The same host with another port.
Address withPort(const Address& address, std::uint16_t port);

} // namespace torsion::testing::detail
