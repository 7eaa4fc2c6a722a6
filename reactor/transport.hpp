#pragma once

#include <reactor/address.hpp>
#include <reactor/deferred.hpp>
#include <reactor/function.hpp>
#include <reactor/producer.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <source_location>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace torsion {

class Failure;
class Protocol;
class Reactor;

/// How many bytes a transport buffers before it pauses its producer, and when it resumes it.
struct WriteBufferLimits {
    std::size_t high = 64 * 1024;        ///< bytes; above it the producer is paused (exactly this many does not, S-15)
    std::size_t low = 16 * 1024;         ///< bytes; at or below it a paused producer is resumed (Twisted: 0, S-16)
    std::size_t hard = 64 * 1024 * 1024; ///< bytes; a `write` that finds more than this aborts with WriteLimitError
};

/// How long a connection that we close may take to end: no byte is lost because unread input was queued, and nothing
/// closes for ever.
struct CloseLimits {
    std::chrono::milliseconds stalled{30'000};  ///< output queued, and the peer takes none of it: aborted after this
    std::chrono::milliseconds drain{3'600'000}; ///< output queued, whatever the peer takes of it: aborted after this
    std::chrono::milliseconds quiet{2'000};     ///< all is sent and acknowledged, and no input comes: closed after this
    std::chrono::milliseconds total{30'000};    ///< from our FIN on: closed after this, whatever comes
};

/// One end of a connection, as its protocol sees it.
///
/// The reactor owns it from the connection's beginning until `connectionLost` has returned; a protocol reaches it
/// through `Protocol::transport`, which points to `Transport::null()` before and after. Everything is called on the
/// reactor's thread (debug builds assert it), and every function may be called from inside every callback. No function
/// calls back into the protocol before it returns; of user code only a producer's `pauseProducing` runs inside `write`,
/// `writeSequence`, `flush` and `drained`, and its `stopProducing` inside `registerProducer` on a dead transport.
///
/// A transport is itself a push producer (S-24): pausing it stops reading, resuming it goes on, stopping it is
/// `loseConnection()`. So `a.registerProducer(b)` makes connection `b` read only as quickly as `a` can write. When `b`
/// will deliver nothing more (its peer has ended, or it closes) it has unregistered itself, and `a` can close; one that
/// has come to that already is not registered at all. (In Twisted `a` waits for ever, unless somebody unregisters `b`.)
class Transport : public PushProducer {
public:
    /// Sends `data`, sooner or later, in order. What is written in one callback leaves in one system call when the
    /// callback returns. Never blocks, never throws for a lost connection: after `loseConnection()` (unless a producer
    /// is registered), `loseWriteConnection()`, `abortConnection()` or the loss, bytes are dropped and counted (S-4,
    /// S-5).
    /// @param data bytes; copied (or sent) before the call returns. Empty data does nothing.
    void write(std::string_view data) {
        if (!data.empty())
            writeBytes(data, nullptr);
    }
    void write(const char* text) { write(std::string_view(text)); }
    void write(std::span<const std::byte> data) {
        write(std::string_view(reinterpret_cast<const char*>(data.data()), data.size()));
    }

    /// Sends a string that the caller gives away: a large one is never copied.
    template <class S>
        requires std::is_same_v<S, std::string>
    void write(S&& data) {
        if (!data.empty())
            writeBytes(data, &data);
    }
    void write(std::string& data) { write(std::string_view(data)); }
    void write(const std::string& data) { write(std::string_view(data)); }

    /// Several writes with no sending between them (S-7).
    virtual void writeSequence(std::span<const std::string_view> pieces);

    /// Hands what was written so far to the kernel now, instead of when the running callback returns. For a long
    /// callback that wants its first bytes out early.
    virtual void flush() = 0;

    /// Closes once everything written so far is sent and a registered producer has unregistered; then the peer sees an
    /// orderly end, and `connectionLost(ConnectionDone)` follows in a later phase. Input is discarded from now on. The
    /// wait is bounded (see `CloseLimits`). A second call does nothing (S-27, S-28, S-31).
    virtual void loseConnection() = 0;

    /// Closes at once: buffered bytes are discarded, the peer sees a reset, and `connectionLost(ConnectionAborted)`
    /// follows in the close phase of this turn (S-44). Wins over `loseConnection()`.
    virtual void abortConnection() = 0;

    /// As `abortConnection()`, with the reason that `connectionLost` shall hear.
    virtual void abortConnection(const Failure& reason) = 0;

    /// Ends our direction once everything written so far is sent (and a producer has unregistered): the peer reads to
    /// the end, we still receive. `writeConnectionLost()` follows (S-53). Writes are dropped from now on (S-6).
    virtual void loseWriteConnection() = 0;

    /// The other end. Valid in `connectionLost` too.
    virtual Address getPeer() const = 0;

    /// Our end. Valid in `connectionLost` too; a connection accepted on all interfaces that was not asked before then
    /// says where its port listens.
    virtual Address getHost() const = 0;

    /// The reactor this transport belongs to. The null transport throws NotConnectedError.
    virtual Reactor& reactor() const = 0;

    /// Makes `producer` the source of what is written here; it is paused, resumed and waited for. The link ends when
    /// the producer is destroyed, the connection is lost (`stopProducing`), or with `unregisterProducer()`.
    /// @throws ProducerAlreadyRegistered when there is one (S-11).
    virtual void registerProducer(PushProducer& producer) = 0;

    /// As above for a pull producer; its first `resumeProducing()` comes in the next flush phase.
    virtual void registerProducer(PullProducer& producer) = 0;

    /// Ends the link without a word to the producer; a waiting close goes on. Does nothing when there is none (S-19).
    virtual void unregisterProducer() = 0;

    /// Stops delivery of input at once, also in the middle of what one event brought (S-40).
    void pauseProducing() override = 0;

    /// Delivers input again. Does nothing while disconnecting or disconnected (S-24).
    void resumeProducing() override = 0;

    /// As `loseConnection()`.
    void stopProducing() override { loseConnection(); }

    /// Bytes written that the kernel has not taken yet.
    virtual std::size_t bufferedBytes() const noexcept = 0;

    /// Fires when the kernel has everything that is written before that happens: at once where it takes what is here
    /// now (this call flushes), else in a later phase, as one of the connection's callbacks. Any number may wait.
    /// Fails with the reason when writing breaks or the connection is lost first, and with NotConnectedError without a
    /// connection. Cancelling it ends the waiting alone.
    virtual Deferred<void> drained(std::source_location place = std::source_location::current()) = 0;

    /// @throws std::invalid_argument unless low <= high <= hard.
    virtual void setWriteBufferLimits(const WriteBufferLimits& limits) = 0;

    /// How long a close of this connection may take, for one that begins after this call.
    /// @throws std::invalid_argument when a time is negative.
    virtual void setCloseLimits(const CloseLimits& limits) = 0;

    /// True from the connection's beginning until `connectionLost` is about to be called.
    virtual bool isConnected() const noexcept = 0;

    /// True once `loseConnection()` or `abortConnection()` was called, or the connection is lost.
    virtual bool isDisconnecting() const noexcept = 0;

    /// True while input is wanted and delivered.
    virtual bool isReading() const noexcept = 0;

    /// Runs `f` as if it were one of this connection's callbacks: what it writes here leaves in one system call, and
    /// what it throws is logged and drops this connection with that failure. For framing classes, timers and coroutines
    /// that work for a connection.
    template <class F>
    void guarded(F&& f) {
        auto call = [&f] { f(); };
        runGuarded(call);
    }

    /// Replaces the protocol: the present one hears nothing more (no `connectionLost`), `next` gets `makeConnection`
    /// and then `unparsed` as its first bytes, as soon as the running callback has returned (or in the next flush
    /// phase).
    /// @param next shared with this transport; not null (std::invalid_argument).
    /// @param unparsed bytes that the present protocol received and did not use; copied.
    virtual void switchProtocol(std::shared_ptr<Protocol> next, std::string_view unparsed = {}) = 0;

    /// A counter, unique in its reactor, for logs and listings.
    virtual std::uint64_t id() const noexcept = 0;

    /// What logs call this connection: "EchoServer,7,127.0.0.1:40312".
    virtual std::string describe() const = 0;

    /// The view of this transport that `T` names, or null; wrappers forward the question. `T` has a member
    /// `static constexpr TransportKind kKind`.
    template <class T>
    T* as() noexcept {
        return static_cast<T*>(query(&T::kKind));
    }

    /// Does nothing, is connected to nothing, has no addresses; for ever.
    static Transport& null() noexcept;

protected:
    /// Identifies a view for `as<T>()` by its address.
    friend struct TransportKind;

    /// @param movable the string that `data` views and that may be moved from, or null.
    virtual void writeBytes(std::string_view data, std::string* movable) = 0;
    virtual void runGuarded(CallableRef<void()> f) = 0;
    virtual void* query(const void* kind) noexcept;
};

/// The identity of a view that `Transport::as<T>()` can find.
struct TransportKind {
    const char* name;
};

/// When a peer that vanished is noticed: TCP keep-alive probes.
struct KeepAlive {
    std::chrono::seconds idle{60};     ///< silence before the first probe; 1..32767 s
    std::chrono::seconds interval{10}; ///< between probes; 1..32767 s
    int count = 6;                     ///< unanswered probes until the connection is lost; 1..127
};

/// What only a TCP connection has: `transport->as<TcpTransport>()`. Lives as long as the transport it was asked from.
///
/// Setting throws std::system_error, which names the option, when the system refuses it; on a connection that is lost
/// it does nothing.
class TcpTransport {
public:
    static constexpr TransportKind kKind{"TcpTransport"};

    /// Nagle's algorithm off (true, the default) or on.
    virtual void setTcpNoDelay(bool enabled) = 0;
    virtual bool getTcpNoDelay() const = 0;

    /// Keep-alive probes with these times, or none. @throws std::invalid_argument for a time out of range.
    virtual void setTcpKeepAlive(std::optional<KeepAlive> times) = 0;
    virtual bool getTcpKeepAlive() const = 0;

    /// How long sent bytes may stay unacknowledged before the kernel gives the connection up (TCP_USER_TIMEOUT,
    /// RFC 5482); zero: the system's default. @throws std::invalid_argument below 0 or above 2^31 - 1 ms.
    virtual void setTcpUserTimeout(std::chrono::milliseconds timeout) = 0;

    /// The socket, for options that have no name here; -1 where there is none (memory) or it is closed.
    virtual int socketDescriptor() const noexcept = 0;

protected:
    ~TcpTransport() = default;
};

} // namespace torsion
