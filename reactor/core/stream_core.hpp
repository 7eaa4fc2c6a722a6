#pragma once

#include <reactor/core/channel.hpp>
#include <reactor/core/turn_core.hpp>
#include <reactor/core/write_queue.hpp>
#include <reactor/detail/pooled.hpp>
#include <reactor/failure.hpp>
#include <reactor/transport.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <source_location>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace torsion::core {

class StreamCore;

/// Who made a stream and hears of its end: a port or a connector.
class StreamOwner {
public:
    /// The protocol has heard `connectionLost`; the stream is about to be destroyed.
    virtual void onStreamLost(StreamCore& stream, const Failure& reason) = 0;

protected:
    ~StreamOwner() = default;
};

/// The behaviour of every stream connection, whatever carries its bytes: writing and corking, water marks and
/// producers, half-close, lingering, aborting, and what the protocol hears, in which order.
///
///                     loseConnection          all sent, FIN            peer's FIN, quiet, or too long
///          Open ───────────────────▶ Draining ─────────▶ Lingering ──────────────────────────────┐
///           │                           │                                                        ▼
///           └── abort, error, peer's end ┴────────────────────────────────────────────────────▶ Lost
///                                                                     (told in the close phase, then destroyed)
///
/// Beside it, our direction goes Open ─▶ Ending (loseWriteConnection) ─▶ Ended (FIN sent), or ─▶ Broken (write error).
///
/// Owned by its TurnCore's live list from `start()` on; destroys itself at the end of its close phase. Five files:
/// `stream_core.cpp` (life and input), `stream_output.cpp` (the way out), `stream_producer.cpp` (who feeds it),
/// `stream_drained.cpp` (who waits for its end), `stream_closing.cpp` (the ways to end).
class StreamCore final : public torsion::detail::Pooled<StreamCore>,
                         public Transport,
                         private ChannelEvents,
                         public Flushable,
                         public Closing,
                         public Live,
                         public Lingering,
                         private ProducerSlot {
public:
    /// @param owner told of the end; outlives this stream or calls `forgetOwner()`.
    StreamCore(TurnCore& turn, Reactor& reactor, StreamOwner& owner, ChannelPtr&& channel, const StreamOptions& options,
               const Address& peer, const std::shared_ptr<Factory>& factory, std::shared_ptr<Protocol>&& protocol);

    /// Begins to read and lets the protocol make its connection.
    void start();

    void forgetOwner() noexcept { owner_ = nullptr; }

    // Transport
    void flush() override;
    void writeSequence(std::span<const std::string_view> pieces) override;
    void loseConnection() override;
    void abortConnection() override;
    void abortConnection(const Failure& reason) override;
    void loseWriteConnection() override;
    Address getPeer() const override { return peer_; }
    Address getHost() const override;
    Reactor& reactor() const override { return reactor_; }
    void registerProducer(PushProducer& producer) override;
    void registerProducer(PullProducer& producer) override;
    void unregisterProducer() override;
    void pauseProducing() override;
    void resumeProducing() override;
    bool hasEndedProducing() const noexcept override { return inputEnded_ || phase_ != Phase::Open; }
    std::size_t bufferedBytes() const noexcept override;
    Deferred<void> drained(std::source_location place) override;
    void setWriteBufferLimits(const WriteBufferLimits& limits) override;
    void setCloseLimits(const CloseLimits& limits) override;
    bool isConnected() const noexcept override { return phase_ != Phase::Lost; }
    bool isDisconnecting() const noexcept override { return phase_ != Phase::Open; }
    bool isReading() const noexcept override { return phase_ == Phase::Open && !paused_ && !inputEnded_; }
    void switchProtocol(std::shared_ptr<Protocol> next, std::string_view unparsed) override;
    std::uint64_t id() const noexcept override { return id_; }
    std::string describe() const override;

    // Live
    Endpoint endpoint() const override;
    void onShutdown() override;
    void onDrain() override { loseConnection(); }

private:
    enum class Phase : std::uint8_t { Open, Draining, Lingering, Lost };
    enum class Output : std::uint8_t { Open, Ending, Ended, Broken };

    /// Marks one of this stream's callbacks: its writes go to the cork. The outermost one sends them at its end.
    class CallScope {
    public:
        explicit CallScope(StreamCore& stream) noexcept;
        ~CallScope();

    private:
        StreamCore& stream_;
        StreamCore* outer_; // whose callback this one runs inside of
        bool nested_;       // inside another callback of the same stream
    };

    /// Marks user code of this stream's that is called outside of a phase, and not corked: what would call back waits.
    class HoldScope {
    public:
        explicit HoldScope(StreamCore& stream) noexcept
            : stream_(stream), call_(stream.turn_), nested_(std::exchange(stream.inCall_, true)) {}
        HoldScope(const HoldScope&) = delete;
        HoldScope& operator=(const HoldScope&) = delete;
        ~HoldScope() {
            stream_.inCall_ = nested_;
            stream_.afterOutsideCall();
        }

    private:
        StreamCore& stream_;
        TurnCore::OutsideCall call_;
        bool nested_;
    };

    /// When a send is tried again that the kernel had no memory for; doubled each time, up to the second.
    static constexpr Duration kRetryDelay = std::chrono::milliseconds(10);
    static constexpr Duration kMaxRetryDelay = std::chrono::seconds(1);

    /// What few connections need, made when they do.
    struct Rare {
        std::shared_ptr<Protocol> next;     // the protocol to switch to, when the running callback has returned
        std::string input;                  // received, and not delivered yet: left over by a switch
        std::size_t inputBegin = 0;         // of it, what was delivered already
        std::string_view lent;              // the part of it that is being delivered
        std::size_t lentBack = 0;           // bytes of that part's end that a switch gave back
        ScopedCall closeTimer;              // ends a drain or a linger that takes too long
        TimePoint progress{};               // last time a closing stream got anywhere
        TimePoint closing{};                // when the output began to drain; from our FIN on: when that was sent
        Failure outputError;                // why our direction is Broken
        std::vector<Promise<void>> drained; // fired when all output is gone
        ScopedCall retry;                   // sends again: the kernel had no memory
        Duration retryDelay = kRetryDelay;

        void hold(std::string_view bytes);
        void takeBack(std::string&& held);
    };

    ~StreamCore() override;

    void checkThread() const noexcept;

    friend class TurnCore; // sends the cork

    // stream_core.cpp: life and input
    void onReadable() override;
    void onNestedEvent() override;
    void onBroken(int error) override;
    void deliver(std::string_view data);
    void received(const ReceiveResult& result);
    void inputEnded();
    template <class F>
    void call(F&& f) noexcept;
    void callFailed() noexcept;
    void runGuarded(CallableRef<void()> f) override;
    void afterCall();
    void afterOutsideCall();
    void settleSwitches();
    void performSwitch();
    void deliverHeld();
    void updateReading();
    void stopReading() {
        if (std::exchange(reading_, false))
            channel_->stopRead();
    }
    Rare& rare();
    void* query(const void* kind) noexcept override;

    // stream_output.cpp: the way out
    void writeBytes(std::string_view data, std::string* movable) override;
    void writeChecked(std::string_view data, std::string* movable);
    bool writePlain(std::string_view data, std::string* movable);
    void keepRest(std::string_view data, std::size_t skip, std::string* movable);
    void writeLarge(std::span<const std::string_view> pieces, std::string* movable);
    void appendSmall(std::string_view data);
    void queueRest(std::string_view data);
    bool acceptsWrite(std::size_t bytes);
    bool acceptsOutput() const noexcept { return phase_ != Phase::Lost && output_ != Output::Broken; }
    void sendCork();
    void sendQueue();
    bool sentPart(SendResult result, std::size_t offered);
    void retryLater();
    void outputBroke(int error);
    void checkHighWater();
    void onWritable() override;
    void onFlush() override;
    bool hasOutput() const noexcept;
    void discardOutput() noexcept;

    // stream_producer.cpp: who feeds it
    void pausePush();
    void serveProducer();
    bool adoptsProducer(Producer& newProducer);
    void adopted();
    void producerDestroyed() override;

    // stream_drained.cpp: who waits for the output to be gone
    bool drainAwaited() const noexcept { return rare_ && !rare_->drained.empty(); }
    void tellDrained();
    void failDrained() noexcept;

    // stream_closing.cpp: the ways to end
    void updateWritable() noexcept;
    void advanceClosing();
    void endOutput();
    void beginLingering();
    void armCloseTimer(Duration delay);
    void awaitOutput();
    void discardInput();
    void closeTimerFired();
    void noteProgress();
    void finish(Failure reason, CloseMode mode);
    void onLingerCut() override;
    void onClosePhase() override;

    TurnCore& turn_;
    Channel* channel_;
    std::shared_ptr<Protocol> protocol_;
    bool plain_ = true; // nothing stands in the way of a write: appending to the cork is all
    bool paused_ = false;
    bool reading_ = false; // the channel's state
    bool armed_ = false;   // onWritable is to come
    bool inputEnded_ = false;
    bool producerPaused_ = false;
    bool afterCall_ = false;
    bool settling_ = false;      // settleSwitches is on the stack
    bool inCall_ = false;        // a callback is on the stack
    bool flushHeld_ = false;     // a flush waits for it to return
    bool tellWriteLost_ = false; // loseWriteConnection was called: writeConnectionLost is owed
    Phase phase_ = Phase::Open;
    Output output_ = Output::Open;
    CloseMode closeMode_ = CloseMode::Orderly;
    WriteQueue queue_;
    std::unique_ptr<Rare> rare_;
    StreamOwner* owner_;
    std::shared_ptr<Factory> factory_;
    Reactor& reactor_;
    WriteBufferLimits limits_;
    CloseLimits close_;
    std::uint64_t id_;
    TimePoint began_;
    Failure reason_;
    Address peer_;
};

} // namespace torsion::core
