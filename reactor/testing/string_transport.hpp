#pragma once

#include <reactor/address.hpp>
#include <reactor/failure.hpp>
#include <reactor/options.hpp>
#include <reactor/producer.hpp>
#include <reactor/testing/memory_reactor.hpp>
#include <reactor/transport.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <source_location>
#include <span>
#include <string>
#include <string_view>

namespace torsion::testing {

/// Whether a transport, as a producer of input, is at work.
enum class ProducerState { Producing, Paused, Stopped };

/// A Transport for unit tests of protocols: what is written can be read as a string, what the peer does is a call.
///
/// @code
/// StringTransport transport;
/// transport.connect(std::make_shared<Greeter>());
/// CHECK(transport.value() == "220 ready\r\n");
/// transport.clear();
/// transport.receive("QUIT\r\n");
/// CHECK(transport.disconnecting());
/// @endcode
///
/// It is one end of a connection in memory, on a MemoryReactor of its own, and follows the same rules as every
/// transport, because it is the same core: writes after `loseConnection()` are dropped and counted, a second producer
/// is refused, and so on. The other end reads and keeps what comes, at once, as long as there is room.
///
/// A protocol that was connected sees `core`'s transport, not this object; one may as well be given this object by hand
/// (`protocol.makeConnection(transport)`, `protocol.dataReceived(…)`), and then hears no `connectionLost`.
///
/// Not to be destroyed inside a callback. After the connection is lost it behaves as `Transport::null()`, but knows its
/// addresses and its reactor.
class StringTransport final : public Transport {
public:
    /// @param peer, host what `getPeer()` and `getHost()` say.
    /// @param options as for connections of `listenTCP`.
    explicit StringTransport(const Address& peer = defaultPeer(), const Address& host = defaultHost(),
                             const StreamOptions& options = {});
    ~StringTransport() override;

    static Address defaultPeer() { return Address::ipv4("192.0.2.1", 54321); }
    static Address defaultHost() { return Address::ipv4("192.0.2.2", 1234); }

    /// Makes `protocol` the connection's: it hears `connectionMade`, and everything that happens later. In place of the
    /// one that was there, as with `switchProtocol`.
    void connect(std::shared_ptr<Protocol> protocol);

    /// @name What the protocol did
    /// @{

    /// Everything written since the beginning or the last `clear()`, as far as there was room.
    const std::string& value();

    /// Forgets what `value()` holds.
    void clear();

    bool disconnecting() const noexcept { return isDisconnecting(); } ///< as `isDisconnecting()`
    bool aborted();                                                   ///< the peer saw a reset
    bool writeEnded();                                                ///< the peer saw the end of our direction

    /// The registered producer, or null; and whether it is a push producer (Twisted: streaming).
    Producer* producer() const noexcept;
    bool isStreaming() const noexcept;

    ProducerState producerState() const noexcept;

    /// Bytes that were written too late, or thrown away by an abort.
    std::uint64_t droppedBytes() const;

    /// What `connectionLost` was told; empty before.
    const Failure& reason() const noexcept;
    /// @}

    /// @name What the peer and the kernel do
    /// @{

    /// Bytes arrive, in as many pieces as the network's limits say; while reading is paused they wait.
    void receive(std::string_view data);

    void receiveEnd();   ///< the peer ends its direction
    void receiveReset(); ///< the peer resets the connection

    /// The peer takes at most `bytes` more until `value()` or `clear()` is called; what does not fit is buffered.
    /// The default is unlimited.
    void setRoom(std::size_t bytes);

    /// Lets pending work be done: flushes, resumed producers, switches, `connectionLost`. A peer that sees the end of a
    /// connection that `loseConnection()` closes, ends its direction too. `connect`, `clear`, `aborted`, `writeEnded`
    /// and the functions above do this themselves.
    void settle();

    /// Lets time pass, for the delayed calls of the protocol.
    template <class Rep, class Period>
    void advance(std::chrono::duration<Rep, Period> span) {
        memory_->advance(span);
        settle();
    }

    MemoryReactor& memoryReactor() noexcept { return *memory_; }
    /// @}

    // Transport
    void flush() override;
    void writeSequence(std::span<const std::string_view> pieces) override;
    void loseConnection() override;
    void abortConnection() override;
    void abortConnection(const Failure& reason) override;
    void loseWriteConnection() override;
    Address getPeer() const override { return peer_; }
    Address getHost() const override { return host_; }
    Reactor& reactor() const override { return *memory_; }
    void registerProducer(PushProducer& producer) override;
    void registerProducer(PullProducer& producer) override;
    void unregisterProducer() override;
    void pauseProducing() override;
    void resumeProducing() override;
    std::size_t bufferedBytes() const noexcept override;
    Deferred<void> drained(std::source_location place = std::source_location::current()) override;
    void setWriteBufferLimits(const WriteBufferLimits& limits) override;
    void setCloseLimits(const CloseLimits& limits) override;
    bool isConnected() const noexcept override;
    bool isDisconnecting() const noexcept override;
    bool isReading() const noexcept override;
    void switchProtocol(std::shared_ptr<Protocol> next, std::string_view unparsed = {}) override;
    std::uint64_t id() const noexcept override;
    std::string describe() const override;

private:
    struct Ends;

    void writeBytes(std::string_view data, std::string* movable) override;
    void runGuarded(CallableRef<void()> f) override;
    void* query(const void* kind) noexcept override;
    Transport& stream() const noexcept;

    Address peer_;
    Address host_;
    std::unique_ptr<MemoryReactor> memory_;
    std::unique_ptr<Ends> ends_;
};

} // namespace torsion::testing
