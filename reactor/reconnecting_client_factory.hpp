#pragma once

#include <reactor/clock.hpp>
#include <reactor/factory.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

namespace torsion {

class Random;

/// A client factory that connects again whenever connecting failed or the connection was lost, waiting longer each
/// time: derive from it and override `buildProtocol`, and call `resetDelay()` there or when the connection has proved
/// good.
///
/// The n-th retry in a row waits `initialDelay * factor^n`, at most `maxDelay`, with jitter. (Twisted's delays; but
/// there each one is computed from the jittered one before, wanders, and may pass the maximum: S-110.) It retries for
/// whatever reason the connection ended (S-113), also when the program gave the attempt up: `stopTrying()` ends that.
///
/// While it waits the factory is stopped, `startFactory` is called again for every retry (S-101), and the waiting call
/// alone keeps connector and factory alive. One connector at a time. Reactor's thread.
class ReconnectingClientFactory : public ClientFactory {
public:
    /// @name Settings
    /// @{
    std::chrono::milliseconds initialDelay{1'000};
    std::chrono::milliseconds maxDelay{3'600'000}; ///< no retry waits longer, whatever jitter says
    double factor = 2.7182818284590451;            ///< how much longer each retry in a row waits; e, as in Twisted
    double jitter = 0.119626565582;                ///< standard deviation, as a part of the delay; 0: none
    std::optional<std::uint32_t> maxRetries{};     ///< in a row; none: no end
    Clock* clock = nullptr;                        ///< what waiting is measured with; null: the connector's reactor
    /// @}

    /// Remembers the connector, for `stopTrying()` and `retry()`: call it when you override it.
    void startedConnecting(const std::shared_ptr<Connector>& connector) override { connector_ = connector; }
    void clientConnectionFailed(const std::shared_ptr<Connector>& connector, const Failure& reason) override;
    void clientConnectionLost(const std::shared_ptr<Connector>& connector, const Failure& reason) override;

    /// Has `connector` connect after the next delay, unless `stopTrying()` was called or `maxRetries` are used up. A
    /// retry that waits already is replaced.
    void retry(const std::shared_ptr<Connector>& connector);

    /// As above, with the connector that failed or was lost last.
    /// @throws std::logic_error when there is none (any more).
    void retry();

    /// No further retries: cancels one that waits, and gives an attempt up that is under way. An open connection stays
    /// (S-112).
    void stopTrying();

    /// Back to the first delay, and to trying if that had been stopped. A retry that waits goes on waiting (in Twisted
    /// it could not be stopped any more: S-111).
    void resetDelay() noexcept;

    /// Retries in a row so far.
    std::uint32_t retries() const noexcept { return retries_; }

    /// The delay of the last retry; before the first, `initialDelay`.
    std::chrono::milliseconds delay() const noexcept { return retries_ == 0 ? initialDelay : delay_; }

    /// False after `stopTrying()`.
    bool isTrying() const noexcept { return trying_; }

    /// As `Factory::forProtocol`. Such a factory never resets its delay: the protocols do, through `factoryAs`.
    template <class P, class... Args>
    static std::shared_ptr<ReconnectingClientFactory> forProtocol(Args... args) {
        return detail::factoryOf<ReconnectingClientFactory, P>(std::move(args)...);
    }

    /// As `Factory::fromFunction`.
    template <class F>
    static std::shared_ptr<ReconnectingClientFactory> fromFunction(F f) {
        return detail::factoryFrom<ReconnectingClientFactory>(std::move(f));
    }

private:
    std::chrono::milliseconds delayOf(std::uint32_t attempt, Random& random) const;

    std::weak_ptr<Connector> connector_; // weak: it holds this factory
    DelayedCall waiting_;
    std::chrono::milliseconds delay_{};
    std::uint32_t retries_ = 0;
    bool trying_ = true;
};

} // namespace torsion
