#include <reactor/reconnecting_client_factory.hpp>

#include <reactor/connector.hpp>
#include <reactor/log.hpp>
#include <reactor/random.hpp>
#include <reactor/reactor.hpp>

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace torsion {

namespace {

// The sum of twelve even distributions of this many times the deviation has that deviation and nearly the normal form,
// and is never further off than six deviations. Integers alone: the same seed gives the same delays on every machine.
constexpr int kSummands = 12;

std::int64_t normal(Random& random, std::int64_t deviation) {
    std::int64_t twice = 0;
    for (int i = 0; i < kSummands; ++i)
        twice += random.between(-deviation, deviation);
    return twice / 2;
}

void cancel(DelayedCall& call) {
    if (call.active())
        call.cancel();
}

} // namespace

void ReconnectingClientFactory::clientConnectionFailed(const std::shared_ptr<Connector>& connector, const Failure&) {
    retry(connector);
}

void ReconnectingClientFactory::clientConnectionLost(const std::shared_ptr<Connector>& connector, const Failure&) {
    retry(connector);
}

void ReconnectingClientFactory::retry() {
    const std::shared_ptr<Connector> connector = connector_.lock();
    if (!connector)
        throw std::logic_error("ReconnectingClientFactory::retry: there is no connector to retry with");
    retry(connector);
}

void ReconnectingClientFactory::retry(const std::shared_ptr<Connector>& connector) {
    connector_ = connector;
    if (!trying_) {
        if (noisy)
            log::info("{}: abandoning {} on an explicit request", logPrefix(), connector->getDestination().toString());
        return;
    }
    if (maxRetries && retries_ >= *maxRetries) {
        if (noisy)
            log::info("{}: abandoning {} after {} retries", logPrefix(), connector->getDestination().toString(),
                      retries_);
        return;
    }
    delay_ = delayOf(++retries_, connector->reactor().random());
    if (noisy) {
        log::info("{}: {} will be tried again in {} ms", logPrefix(), connector->getDestination().toString(),
                  delay_.count());
    }
    cancel(waiting_);
    Clock& waiter = clock ? *clock : connector->reactor();
    waiting_ = waiter.callLater(delay_, [connector] {
        if (connector->state() == Connector::State::Disconnected)
            connector->connect();
    });
}

void ReconnectingClientFactory::stopTrying() {
    trying_ = false;
    const std::shared_ptr<Connector> connector = connector_.lock(); // the waiting call may be all that held it
    cancel(waiting_);
    if (connector && connector->state() == Connector::State::Connecting)
        connector->stopConnecting();
}

void ReconnectingClientFactory::resetDelay() noexcept {
    retries_ = 0;
    trying_ = true;
}

std::chrono::milliseconds ReconnectingClientFactory::delayOf(std::uint32_t attempt, Random& random) const {
    const auto limit = static_cast<double>(maxDelay.count());
    const auto first = static_cast<double>(initialDelay.count());
    const double grown = first > 0 ? first * std::pow(factor, attempt) : 0; // may be infinite, but is a number
    std::int64_t result = std::llround(std::min(grown, limit));
    if (jitter > 0)
        result += normal(random, std::llround(static_cast<double>(result) * jitter));
    return std::chrono::milliseconds(std::clamp<std::int64_t>(result, 0, maxDelay.count()));
}

} // namespace torsion
