#include <reactor/core/happy_eyeballs.hpp>

#include <reactor/errors.hpp>

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <utility>

namespace torsion::core {

struct HappyEyeballs::Attempt final : ConnectEvents {
    Attempt(HappyEyeballs& itsRace, const Address& itsAddress) : race(itsRace), address(itsAddress) {}

    void onConnected(ChannelPtr channel) override { race.attemptSucceeded(*this, std::move(channel)); }
    void onConnectFailed(const Failure& failure) override { race.attemptFailed(*this, failure); }

    HappyEyeballs& race;
    Address address;
    std::unique_ptr<Connecting> connecting;
};

std::vector<Address> interleaveFamilies(const std::vector<Address>& addresses) {
    std::vector<Address> leading; // the first address's family
    std::vector<Address> other;
    for (const Address& address : addresses) {
        auto& family = address.kind() == addresses.front().kind() ? leading : other;
        if (std::find(family.begin(), family.end(), address) == family.end())
            family.push_back(address);
    }
    std::vector<Address> result;
    result.reserve(leading.size() + other.size());
    for (std::size_t i = 0; i < std::max(leading.size(), other.size()); ++i) {
        if (i < leading.size())
            result.push_back(leading[i]);
        if (i < other.size())
            result.push_back(other[i]);
    }
    return result;
}

HappyEyeballs::HappyEyeballs(HappyEyeballsHost& host, std::vector<Address> addresses, Duration attemptDelay,
                             std::string destination)
    : host_(host), addresses_(std::move(addresses)), attemptDelay_(attemptDelay), destination_(std::move(destination)) {
}

HappyEyeballs::~HappyEyeballs() = default;

void HappyEyeballs::beginNext() {
    const Address& address = addresses_[next_++];
    Attempt& attempt = *pending_.emplace_back(std::make_unique<Attempt>(*this, address));
    ++beginning_;
    std::unique_ptr<Connecting> connecting;
    try {
        connecting = host_.beginAttempt(address, attempt);
    } catch (...) {
        --beginning_;
        throw;
    }
    --beginning_;
    if (won_) {
        connecting.reset();
        if (beginning_ == 0)
            tellWon();
        return;
    }
    attempt.connecting = std::move(connecting);
    delay_ = {};
    if (next_ < addresses_.size())
        delay_ = host_.callAfter(attemptDelay_, [this] { beginNext(); });
}

// While another begins, in whose hook a host's loop runs, that one is on the stack: told when it has begun.
void HappyEyeballs::attemptSucceeded(Attempt& attempt, ChannelPtr channel) {
    if (won_)
        return;
    delay_ = {};
    won_.emplace(std::move(channel), attempt.address);
    if (beginning_ == 0)
        return tellWon();
    std::erase_if(pending_, [&attempt](const auto& each) { return each.get() == &attempt; });
}

void HappyEyeballs::tellWon() {
    pending_.clear();
    auto [channel, address] = std::move(*won_);
    host_.onRaceWon(std::move(channel), address);
}

void HappyEyeballs::attemptFailed(Attempt& attempt, const Failure& failure) {
    failed_.push_back({attempt.address, failure});
    std::erase_if(pending_, [&attempt](const auto& each) { return each.get() == &attempt; });
    if (won_)
        return;
    if (next_ < addresses_.size())
        return beginNext();
    if (pending_.empty())
        host_.onRaceLost(summary());
}

// The last failure speaks for all (as with Twisted's HostnameEndpoint); a failure that is no connect error of the
// system's, thrown by a hook for instance, stays itself, or is the cause where there were several.
Failure HappyEyeballs::summary() const {
    const Failed& last = failed_.back();
    const bool single = failed_.size() == 1;
    std::string what = fmt::format("connecting to {}", destination_);
    const char* separator = ": ";
    for (const Failed& each : failed_) {
        const bool isLast = &each == &last;
        const std::string address = each.address.toString();
        if (!single || address != destination_)
            what += std::exchange(separator, "; ") + address;
        if (!isLast)
            what += ": " + each.failure.getErrorMessage();
    }
    if (last.failure.check<ConnectBindError>()) {
        return Failure::of<ConnectBindError>(fmt::format("{}: {}", what, last.failure.getErrorMessage()),
                                             last.failure.code());
    }
    if (last.failure.check<ConnectError>() && last.failure.code() != 0) {
        return getConnectError(last.failure.code(), what);
    }
    if (single)
        return last.failure;
    return Failure::of<ConnectError>(fmt::format("{}: {}", what, last.failure.getErrorMessage()))
        .withCause(last.failure);
}

} // namespace torsion::core
