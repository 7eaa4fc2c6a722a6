#pragma once

#include <reactor/core/channel.hpp>
#include <reactor/core/stream_core.hpp>
#include <reactor/core/turn_core.hpp>
#include <reactor/listening_port.hpp>

#include <cstdint>
#include <memory>
#include <source_location>
#include <vector>

namespace torsion::core {

class ReactorCore;

/// A listening port's behaviour: accepting, refusing, pausing at the limit, stopping and starting again.
///
/// Shared by its user's handles and, while it listens or has connections, by the reactor.
class PortCore final : public ListeningPort,
                       private AcceptEvents,
                       private StreamOwner,
                       public Live,
                       public Closing,
                       public std::enable_shared_from_this<PortCore> {
public:
    PortCore(ReactorCore& reactor, Address wanted, std::shared_ptr<Factory> factory, const ListenOptions& options);
    ~PortCore() override;

    // ListeningPort
    Address getHost() const override { return host_; }
    Deferred<void> stopListening(std::source_location place) override;
    void startListening() override;
    void pauseAccepting() override;
    void resumeAccepting() override;
    std::shared_ptr<void> holdAccepting() override;
    bool isListening() const noexcept override { return acceptor_ != nullptr; }
    std::size_t connectionCount() const noexcept override { return connections_; }
    const std::shared_ptr<Factory>& factory() const noexcept override { return factory_; }
    Reactor& reactor() const noexcept override;

    // Live
    Endpoint endpoint() const override;
    void onShutdown() override { closeAcceptor(); }
    void onDrain() override { closeAcceptor(); }

private:
    void onAccepted(ChannelPtr channel, const Address& peer) override;
    void onTurnedAway() override;
    void onStreamLost(StreamCore& stream, const Failure& reason) override;
    void onClosePhase() override;
    std::shared_ptr<Protocol> buildProtocol(const Address& peer) noexcept;
    class Calling;

    void open();
    void startFactory();
    Failure stopFactory();
    void checkReactor() const;
    void checkThread() const noexcept;
    void closeAcceptor();
    void updateAccepting();
    void releaseUnused();

    ReactorCore& reactor_;
    TurnCore& turn_;
    std::shared_ptr<const bool> reactorGone_; // nothing of it may be used then
    std::shared_ptr<Factory> factory_;
    Function<void(int)> configureSocket_;
    ListenSpec spec_;
    std::size_t maxConnections_;
    std::uint64_t id_;
    TimePoint began_;
    Address host_;
    std::unique_ptr<Acceptor> acceptor_;
    std::vector<Promise<void>> stopping_; // whoever waits for stopListening
    int calls_ = 0;                       // of the factory's start and stop, or configureSocket, on the stack
    int factoryStops_ = 0;                // doStops owed: one for each acceptor that was closed
    std::size_t connections_ = 0;
    std::size_t holds_ = 0;
    std::size_t building_ = 0; // buildProtocol is on the stack
    bool opening_ = false;     // openAcceptor is on the stack
    bool starting_ = false;    // the factory's start is
    bool paused_ = false;      // by the user
    bool accepting_ = false;   // the acceptor's state
};

} // namespace torsion::core
