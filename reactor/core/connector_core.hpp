#pragma once

#include <reactor/connector.hpp>
#include <reactor/core/channel.hpp>
#include <reactor/core/happy_eyeballs.hpp>
#include <reactor/core/reactor_core.hpp>
#include <reactor/core/stream_core.hpp>
#include <reactor/core/turn_core.hpp>
#include <reactor/failure.hpp>
#include <reactor/resolver.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace torsion::core {

/// A client's behaviour: looking the name up, connecting, and what its factory hears, in which order.
///
///                       connect()                   a protocol was built
///          Disconnected ─────────▶ Connecting ─────────────────────────▶ Connected
///               ▲                      │ failed, timed out, given up         │ lost, or refused by the factory
///               └──────────────────────┴──────────── told in the close phase ┴
///
/// An end that is decided but not told yet lies in `reason_`; the state changes when it is told. Shared by its user's
/// handles and, unless disconnected, by the reactor.
class ConnectorCore final : public Connector,
                            private HappyEyeballsHost,
                            private StreamOwner,
                            public Live,
                            public Closing,
                            public std::enable_shared_from_this<ConnectorCore> {
public:
    /// @throws std::invalid_argument for a negative time; InvalidAddressError for `bindHost`.
    ConnectorCore(ReactorCore& reactor, Destination destination, std::shared_ptr<ClientFactory> factory,
                  const ConnectOptions& options);
    ~ConnectorCore() override;

    // Connector
    void connect() override;
    void stopConnecting() override;
    void disconnect() override;
    State state() const noexcept override { return state_; }
    const Destination& getDestination() const noexcept override { return destination_; }
    Transport& transport() const noexcept override;
    const std::shared_ptr<ClientFactory>& factory() const noexcept override { return factory_; }
    Reactor& reactor() const noexcept override;

    // Live: while connecting. A connection is listed itself.
    Endpoint endpoint() const override;
    void onShutdown() override;
    void onDrain() override { onShutdown(); }

private:
    // HappyEyeballsHost
    std::unique_ptr<Connecting> beginAttempt(const Address& address, ConnectEvents& events) override;
    DelayedCall callAfter(Duration delay, Function<void()> f) override;
    void onRaceWon(ChannelPtr channel, const Address& address) override;
    void onRaceLost(const Failure& failure) override { giveUp(failure); }

    void onStreamLost(StreamCore& stream, const Failure& reason) override;
    void onClosePhase() override;

    class Calling;

    void checkReactor() const;
    void startFactory();
    void beginLookup();
    void race(std::vector<Address> addresses);
    std::shared_ptr<Protocol> buildProtocol(const Address& address);
    void giveUp(Failure reason);
    void timedOut();
    void endAttempt() noexcept;
    void tellEnd(const Failure& reason);
    template <class F>
    void guard(const char* what, F&& f) noexcept;

    ReactorCore& reactor_;
    TurnCore& turn_;
    std::shared_ptr<const bool> reactorGone_; // nothing of it may be used then
    Destination destination_;
    std::shared_ptr<ClientFactory> factory_;
    Function<void(int)> configureSocket_;
    ConnectSpec spec_;
    Address bindAddress_; // none: no host was given
    std::uint16_t bindPort_;
    std::optional<std::chrono::milliseconds> timeoutAfter_;
    std::chrono::milliseconds attemptDelay_;
    std::uint64_t id_;
    TimePoint began_{};
    State state_ = State::Disconnected;
    int calls_ = 0; // of the factory, the resolver or configureSocket, on the stack
    bool factoryStarted_ = false;
    std::optional<ReactorCore::Pending> pending_;
    ScopedCall timeout_; // of look-up and attempts together
    std::unique_ptr<Resolver::Lookup> lookup_;
    std::unique_ptr<HappyEyeballs> race_;
    StreamCore* stream_ = nullptr; // owns itself; tells us when it ends
    Failure reason_;               // why connecting or the connection ended, until it is told
};

} // namespace torsion::core
