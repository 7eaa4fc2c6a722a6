#pragma once

#include <reactor/address.hpp>
#include <reactor/options.hpp>

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace torsion {
class Failure;
}

// What a backend supplies to the core, and what the core offers it. The backend decides nothing: when to read, what to
// send, how to close and whom to tell is the core's.

namespace torsion::core {

/// The outcome of one attempt to send. No error and fewer bytes than offered: the receiver takes no more until
/// it is writable again.
struct SendResult {
    std::size_t sent = 0;
    int error = 0; ///< errno; 0: none. ENOBUFS, ENOMEM: nothing was taken, and it is tried again after a while
};

/// The outcome of one attempt to receive.
struct ReceiveResult {
    enum class Kind { Data, Nothing, End, Error };
    Kind kind = Kind::Nothing;
    std::string_view data{}; ///< for Data: in the reactor's read buffer, valid until the next receive
    int error = 0;           ///< for Error: errno
};

/// What a channel tells its stream. Never called from inside one of the channel's functions.
class ChannelEvents {
public:
    /// `receive()` has something to say.
    virtual void onReadable() = 0;
    /// After `armWritable()`: `trySend` is worth a try. Once.
    virtual void onWritable() = 0;
    /// Comes before an event that is reported while a host's loop runs inside a callback, of this stream or another.
    virtual void onNestedEvent() = 0;
    /// While reading is off: the connection broke (`error`: errno, or 0 for an end in both directions).
    virtual void onBroken(int error) = 0;

protected:
    ~ChannelEvents() = default;
};

enum class CloseMode { Orderly, Reset };

/// One end of a byte stream, without behaviour. Made by a backend, owned by a stream, which ends it, and destroys it
/// when its protocol has heard of that.
class Channel {
public:
    Channel() = default;
    Channel(const Channel&) = delete;
    Channel& operator=(const Channel&) = delete;

    /// Whom to tell; set once, before anything else.
    virtual void attach(ChannelEvents& events) = 0;

    virtual ReceiveResult receive() = 0;
    virtual SendResult trySend(std::span<const std::string_view> buffers) = 0;
    virtual void armWritable() = 0;
    virtual void startRead() = 0;
    virtual void stopRead() = 0;

    /// Ends our direction (FIN). Errors are ignored: the peer may be gone already (S-59).
    virtual void shutdownWrite() = 0;

    /// Bytes sent that the peer's side has not acknowledged.
    virtual std::size_t unacknowledged() const = 0;

    /// Ends everything, with a FIN or with a reset: no event comes any more, and only `host` and views (`query`) may be
    /// asked.
    virtual void end(CloseMode mode) = 0;

    /// Gives the object back, which has ended.
    void destroy() { delete this; }

    /// Both.
    void close(CloseMode mode) {
        end(mode);
        destroy();
    }

    /// Our address; also after `end`.
    virtual Address host() const = 0;

    /// A further view of this channel (see Transport::as), or null.
    virtual void* query(const void* kind) noexcept = 0;

protected:
    virtual ~Channel() = default;
};

/// For a Channel that a stream has not taken over yet: closed when dropped.
struct ChannelCloser {
    void operator()(Channel* channel) const { channel->close(CloseMode::Orderly); }
};
using ChannelPtr = std::unique_ptr<Channel, ChannelCloser>;

/// What an acceptor tells its port.
class AcceptEvents {
public:
    /// A connection came in. The port takes the channel, or drops it.
    virtual void onAccepted(ChannelPtr channel, const Address& peer) = 0;
    /// A connection came in and had to be turned away (no descriptor was left).
    virtual void onTurnedAway() = 0;

protected:
    ~AcceptEvents() = default;
};

/// A listening socket, without behaviour. Destroying it closes it.
class Acceptor {
public:
    Acceptor() = default;
    Acceptor(const Acceptor&) = delete;
    Acceptor& operator=(const Acceptor&) = delete;
    virtual ~Acceptor() = default;

    virtual const Address& host() const noexcept = 0;
    virtual void startAccepting() = 0;
    virtual void stopAccepting() = 0;
};

/// What to listen with; the port's own copy of ListenOptions.
struct ListenSpec {
    Address address;
    int backlog = 0;
    bool reusePort = false;
    bool dualStack = false;
    int acceptBudget = 0;
    StreamOptions stream{};
    Function<void(int)>* configureSocket = nullptr; ///< the port's; called with the descriptor before bind
};

/// What an attempt to connect tells its connector, once, and never from inside the call that began it. The attempt may
/// be destroyed inside the event: telling is the last thing it does.
class ConnectEvents {
public:
    virtual void onConnected(ChannelPtr channel) = 0;
    virtual void onConnectFailed(const Failure& failure) = 0;

protected:
    ~ConnectEvents() = default;
};

/// One attempt to connect to one address. Destroying it abandons the attempt.
class Connecting {
public:
    Connecting() = default;
    Connecting(const Connecting&) = delete;
    Connecting& operator=(const Connecting&) = delete;
    virtual ~Connecting() = default;
};

/// How to connect; the connector's own copy of ConnectOptions.
struct ConnectSpec {
    Address local; ///< none: the system's choice
    StreamOptions stream{};
    Function<void(int)>* configureSocket = nullptr; ///< the connector's; called with the descriptor before bind
};

} // namespace torsion::core
