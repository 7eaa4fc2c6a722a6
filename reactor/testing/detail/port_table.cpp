#include <reactor/testing/detail/port_table.hpp>

#include <algorithm>
#include <cerrno>

namespace torsion::testing::detail {

namespace {

constexpr int kEphemeralPorts = 65536 - PortTable::kFirstEphemeral;

bool takesAll(const Listener& listener) {
    return listener.host.isIPv6() && listener.dualStack && listener.host.isWildcard();
}

bool sameFamily(const Address& a, const Address& b) {
    return a.kind() == b.kind();
}

// Whether a connection could reach either of them.
bool overlap(const Listener& a, const Listener& b) {
    if (a.host.port() != b.host.port())
        return false;
    if (!sameFamily(a.host, b.host))
        return takesAll(a) || takesAll(b);
    return a.host == b.host || a.host.isWildcard() || b.host.isWildcard();
}

// How well a listener suits a target: the more exact one gets the connection. 0: not at all.
int suits(const Listener& listener, const Address& target) {
    if (listener.host == target)
        return 3;
    if (listener.host.port() != target.port() || !listener.host.isWildcard())
        return 0;
    if (sameFamily(listener.host, target))
        return 2;
    return takesAll(listener) ? 1 : 0;
}

} // namespace

Address withPort(const Address& address, std::uint16_t port) {
    return Address::parse(address.host(), port);
}

std::uint16_t PortTable::nextEphemeral() noexcept {
    lastEphemeral_ = lastEphemeral_ == 65535 ? kFirstEphemeral : static_cast<std::uint16_t>(lastEphemeral_ + 1);
    return lastEphemeral_;
}

bool PortTable::isFree(const Listener& wanted) const {
    const bool taken = std::any_of(listeners_.begin(), listeners_.end(), [&](const auto& other) {
        return overlap(*other, wanted) && !(other->reusePort && wanted.reusePort);
    });
    return !taken && std::none_of(leases_.begin(), leases_.end(),
                                  [&](const Address& local) { return suits(wanted, local) != 0; });
}

int PortTable::open(const std::shared_ptr<Listener>& listener) {
    const bool ephemeral = listener->host.port() == 0;
    for (int i = 0; i < (ephemeral ? kEphemeralPorts : 1); ++i) {
        if (ephemeral)
            listener->host = withPort(listener->host, nextEphemeral());
        if (isFree(*listener)) {
            listeners_.push_back(listener);
            return 0;
        }
    }
    return EADDRINUSE;
}

void PortTable::close(Listener& listener) noexcept {
    std::erase_if(listeners_, [&](const auto& each) { return each.get() == &listener; });
}

// Listeners that share a port get connections in turn. (The kernel's choice is a hash of the addresses.)
std::shared_ptr<Listener> PortTable::find(const Address& target) {
    std::vector<std::shared_ptr<Listener>> best;
    int bestSuit = 1;
    for (const auto& each : listeners_) {
        const int suit = suits(*each, target);
        if (suit > bestSuit)
            best.clear();
        if (suit >= bestSuit) {
            best.push_back(each);
            bestSuit = suit;
        }
    }
    if (best.empty())
        return nullptr;
    return best[best.size() == 1 ? 0 : turns_++ % best.size()];
}

int PortTable::lease(Address& local) {
    const bool ephemeral = local.port() == 0;
    for (int i = 0; i < (ephemeral ? kEphemeralPorts : 1); ++i) {
        const Address wanted = ephemeral ? withPort(local, nextEphemeral()) : local;
        if (!find(wanted) && leases_.insert(wanted).second) {
            local = wanted;
            return 0;
        }
    }
    return ephemeral ? EADDRNOTAVAIL : EADDRINUSE;
}

} // namespace torsion::testing::detail
