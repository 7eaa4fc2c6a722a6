#pragma once

#include <reactor/address.hpp>
#include <reactor/deferred.hpp>
#include <reactor/function.hpp>
#include <reactor/options.hpp>

#include <cstddef>
#include <limits>
#include <memory>
#include <source_location>
#include <string>
#include <string_view>
#include <type_traits>

namespace torsion {

class ListeningPort;
class Reactor;
class Transport;

namespace detail {
class StreamProtocol;
}

/// How much a Stream keeps of what it receives.
struct StreamLimits {
    std::size_t until = 64 * 1024; ///< bytes before the delimiter that `readUntil` takes
    std::size_t ahead = 64 * 1024; ///< bytes; with as many received and not asked for, the stream stops to read
};

/// A connection as something to await, in place of a Protocol to write:
///
/// @code
/// Deferred<void> greet(Stream conn) {
///     const std::string name = co_await conn.readUntil("\r\n").addTimeout(30s, conn.reactor());
///     std::string greeting = fmt::format("Hello, {}.\r\n", name);
///     co_await conn.write(std::move(greeting));
///     co_await conn.close();
/// }
/// auto port = serveStreams(reactor, 7007, greet);
/// @endcode
///
/// **Reading.** One read at a time: another one while it waits is a std::logic_error. What has arrived is kept, in
/// order, until a read takes it; above `StreamLimits::ahead` the connection is not read, so the peer is slowed down. A
/// read takes its bytes when it succeeds, and not before: one that fails, is cancelled or runs into a time limit leaves
/// everything to the next. When the peer has sent its last byte `readSome` gives an empty string and `readUntil` and
/// `readExactly` fail with ConnectionDone; our direction stays open. After a broken connection what arrived before can
/// still be read; then reads fail with the reason, ConnectionLost or one of its kinds.
///
/// **Writing.** One write at a time, beside a read. It has taken the bytes when it returns, in order; its Deferred says
/// when to go on: at once while less than the high-water mark of the connection is buffered (`WriteBufferLimits`),
/// else when the kernel has taken enough; and about once in each MiB in the next turn, so that a coroutine that
/// writes for ever keeps nobody from the reactor. Cancelling it ends the waiting alone. Once the connection is lost, a
/// write fails with the reason; after close() or shutdownWrite() with ConnectionDone.
///
/// **The end.** close() closes in order. So does destroying the stream, which waits for nothing; what was written still
/// goes out. A read that waits meanwhile fails with ConnectionDone. abort() cuts.
///
/// Move-only; one that was moved from must not be used (NotConnectedError). Owned by whoever talks on it; on the
/// reactor's thread. May outlive its reactor, whose end is the loss of the connection. All may be called at any time;
/// who awaits is resumed inside a callback of the connection, so that what it writes until it awaits again leaves in
/// one system call.
class Stream {
    using Place = std::source_location;

public:
    Stream(Stream&&) noexcept;
    /// The stream that was here before is closed, as by its destruction.
    Stream& operator=(Stream&&) noexcept;
    ~Stream();

    /// @name Reading
    /// @{

    /// The bytes before the next `delimiter`, which is taken, too, and left out. Fails with ReadLimitError
    /// when more than the limit come before it.
    /// @param delimiter copied; empty: throws std::invalid_argument.
    Deferred<std::string> readUntil(std::string_view delimiter, Place place = Place::current());
    /// @param limit bytes, in place of `StreamLimits::until`.
    Deferred<std::string> readUntil(std::string_view delimiter, std::size_t limit, Place place = Place::current());

    /// `size` bytes, which are all kept in memory until they are there.
    Deferred<std::string> readExactly(std::size_t size, Place place = Place::current());

    /// What is there, or else the next that comes, at most `max` bytes; empty at the end of the input.
    /// @param max not 0: throws std::invalid_argument.
    Deferred<std::string> readSome(std::size_t max = std::numeric_limits<std::size_t>::max(),
                                   Place place = Place::current());

    /// Everything until the end of the input. Fails with ReadLimitError when that is more than `limit` bytes.
    Deferred<std::string> readAll(std::size_t limit, Place place = Place::current());
    /// @}

    /// @name Writing
    /// @{

    /// Sends `data`. Copied before the call returns; a string that is moved in is not copied.
    Deferred<void> write(std::string_view data, Place place = Place::current());
    Deferred<void> write(const char* text, Place place = Place::current()) {
        return write(std::string_view(text), place);
    }
    template <class S>
        requires std::is_same_v<S, std::string>
    Deferred<void> write(S&& data, Place place = Place::current()) {
        return writeBytes(data, &data, place);
    }
    Deferred<void> write(std::string& data, Place place = Place::current()) {
        return write(std::string_view(data), place);
    }
    Deferred<void> write(const std::string& data, Place place = Place::current()) {
        return write(std::string_view(data), place);
    }

    /// As write(), but fires when the kernel has everything that is written before that (Transport::drained).
    Deferred<void> writeAll(std::string_view data, Place place = Place::current());

    /// Fires when the kernel has everything written so far.
    Deferred<void> drain(Place place = Place::current());

    /// Ends our direction once everything is sent: the peer reads to the end, and reading goes on here.
    void shutdownWrite();
    /// @}

    /// @name The end
    /// @{

    /// Closes once everything written is sent (Transport::loseConnection). What was received and not read is dropped.
    /// Fires when the connection is gone: that waits for the peer to close, too, within CloseLimits. Fails with the
    /// reason when it broke before. May be called again. Cancelling it ends the waiting alone.
    Deferred<void> close(Place place = Place::current());

    /// Closes at once; the peer sees a reset (Transport::abortConnection). What waits fails with ConnectionAborted, in
    /// the close phase.
    void abort();
    /// @}

    /// The other end, and ours; also once the connection is lost (see Transport::getHost).
    Address getPeer() const;
    Address getHost() const;

    /// Whose connection it is; for time limits. Not to be called once that reactor is destroyed.
    Reactor& reactor() const;

    /// The connection, or Transport::null() once it is lost; for options, limits and addresses. Its protocol and its
    /// producer are the stream's.
    Transport& transport() const;

    void setLimits(const StreamLimits& limits);
    const StreamLimits& limits() const;

    /// For the library.
    explicit Stream(std::shared_ptr<detail::StreamProtocol> protocol) noexcept;

private:
    detail::StreamProtocol& protocol() const;
    Deferred<void> writeBytes(std::string_view data, std::string* movable, Place place);

    std::shared_ptr<detail::StreamProtocol> protocol_;
};

/// Connects, as Reactor::connectTCP does: `Stream conn = co_await connectStream(reactor, "example.org", 80);`. Fails
/// and is cancelled as connectProtocol.
Deferred<Stream> connectStream(Reactor& reactor, std::string_view host, int port, const ConnectOptions& options = {},
                               std::source_location place = std::source_location::current());

/// Options of serveStreams.
struct ServeOptions {
    ListenOptions listen{}; ///< as for Reactor::listenTCP

    /// Handlers that run at once; further connections stay in the kernel's backlog meanwhile, whatever else is done
    /// with the port (`ListeningPort::holdAccepting`).
    std::size_t maxHandlers = std::numeric_limits<std::size_t>::max();
};

static_assert(std::is_trivially_destructible_v<ServeOptions>);

/// What serveStreams calls for each connection.
using StreamHandler = Function<Deferred<void>(Stream)>;

/// Listens, and calls `handler` with each connection, inside its `connectionMade`; most are coroutines. A connection
/// ends with its stream, when the handler does not give that away. What a handler fails with is logged, and resets its
/// connection; but that it was cancelled, or that the connection had ended, is no error of the handler's.
///
/// When the port stops to listen, by stopListening(), Reactor::stop() or the end of the reactor, all handlers that
/// still run are cancelled, before that Deferred fires; what they await fails with CancelledError.
///
/// @param port 0..65535; 0: the kernel chooses, see `ListeningPort::getHost()`.
/// @param handler kept until the last of its Deferreds has a result.
/// @return a handle that may be dropped.
/// Throws as Reactor::listenTCP does, and std::invalid_argument when `handler` is null or `maxHandlers` is 0.
std::shared_ptr<ListeningPort> serveStreams(Reactor& reactor, int port, StreamHandler handler,
                                            const ServeOptions& options = {});

} // namespace torsion
