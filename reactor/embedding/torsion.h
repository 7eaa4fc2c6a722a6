#pragma once

#include <stddef.h>
#include <stdint.h>

/// Torsion's reactor for C, and for languages that call C: to run inside of a host's event loop, or on the host's own
/// libuv loop.
///
/// @code
/// torsion_options options = {.size = sizeof options, .single_descriptor = 1};
/// torsion_reactor *reactor = torsion_new(&options);
/// torsion_handlers echo = {.size = sizeof echo, .data_received = write_it_back};
/// if (!reactor || torsion_listen_tcp(reactor, 7, &echo, NULL, NULL, NULL) < 0 || torsion_start(reactor) < 0)
///     return fail(torsion_last_error());
/// int came;
/// do {
///     struct pollfd watched = {torsion_descriptor(reactor), POLLIN, 0};
///     int wait = torsion_timeout(reactor);
///     if (wait < -1)
///         return fail(torsion_last_error()); // to poll() an error's code would mean for ever
///     poll(&watched, 1, wait);
///     came = torsion_dispatch(reactor);
/// } while (came >= 0 && came != TORSION_STOPPED);
/// torsion_destroy(reactor);
/// @endcode
///
/// Errors: a function that can fail returns a TORSION_ERROR code, which is negative, or NULL; `torsion_last_error()`
/// tells what was wrong. No code is -1. No exception comes out of a function; one that a C++ caller's callback throws
/// is logged, and drops the connection that it was called for.
///
/// Threads: everything is called on the thread that made the reactor, but for what says "any thread"; elsewhere it
/// fails with TORSION_ERROR_THREAD and does nothing. Callbacks come on that thread, inside of `torsion_dispatch()` (on
/// a libuv loop: inside of the loop). Inside of another function come these alone:
/// - on_change, in whatever begins something;
/// - a producer's pause, in torsion_connection_write() and torsion_connection_flush(), of another connection, too, and
///   in torsion_timeout() when a host's loop runs in a callback;
/// - a producer's stop, in torsion_connection_register_producer() where nothing can be written any more;
/// - in torsion_destroy(): connection_lost, connection_failed, a producer's stop, a stopped port's done, released;
///   then what torsion_destroy_then() was given, when the loop was the reactor's own;
/// - the log's function, in any, on any thread.
///
/// Handles are counted. Those that a function gives out through its last parameter are the caller's, to be released;
/// NULL takes none, and what was begun goes on without. Those that a callback is given belong to the library, and are
/// kept with a `retain`, to be released in turn. As long as it is held a handle may be used, whatever has become of
/// what it names, the reactor included: a function that finds it gone fails with TORSION_ERROR_GONE. Handles of a
/// reactor's things are retained and released on its thread; once torsion_destroy() has returned, on any. No callback
/// but on_change comes inside of a release. A function that fails gives no handle out, and what it was to begin is not
/// begun.
///
/// Structures that the caller fills begin with their size, so that they can grow: set all to zero, then `size`. Zero is
/// the default of every member. One of an older version of the library, from version 1 on, is taken as if the rest were
/// zero; one that is longer (made for a newer library) is taken if its rest is zero. Every other size is refused with
/// TORSION_ERROR_ARGUMENT. A new member makes its structure larger: it goes behind the last, and into no padding.

#define TORSION_ABI_VERSION 1

#if defined(__GNUC__)
#define TORSION_API __attribute__((visibility("default")))
#else
#define TORSION_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/// TORSION_ABI_VERSION of the library: what is compiled against this header needs at least its own, and works with any
/// greater one. Any thread.
TORSION_API int torsion_abi_version(void);

/// @name Errors
/// @{

enum {
    TORSION_OK = 0,
    TORSION_ERROR_ARGUMENT = -2, ///< NULL, a number out of range, an address that is none, a structure's size
    TORSION_ERROR_THREAD = -3,   ///< called on another thread than the reactor's
    TORSION_ERROR_STATE = -4,    ///< not now: started twice, stopped twice, destroyed inside of a callback
    TORSION_ERROR_GONE = -5,     ///< the reactor, or the connection, is not there any more
    TORSION_ERROR_SYSTEM = -6,   ///< the system refused it: see torsion_last_errno()
    TORSION_ERROR_MEMORY = -7,   ///< there is none left
    TORSION_ERROR_OTHER = -8     ///< anything else
};

/// What was wrong with the last function that failed on this thread, with its name in front:
/// "torsion_listen_tcp: couldn't listen on 127.0.0.1:80: permission denied (EACCES)". Valid until the next one fails
/// here. "" when none has. Any thread.
TORSION_API const char* torsion_last_error(void);

/// The errno value of that failure, 0 for none. Any thread.
TORSION_API int torsion_last_errno(void);

/// Why a connection ended, or was not made. Valid until the callback that is given it returns. The library's, which may
/// append members: torsion_abi_version() says which there are; copy these, not the structure's bytes.
typedef struct torsion_reason {
    const char* name;    ///< of the error's class: "ConnectionDone", "ConnectionLost", "ConnectionRefusedError"
    const char* message; ///< a sentence
    int number;          ///< errno value, 0 for none
    int clean;           ///< 1 for an orderly end, else 0
} torsion_reason;

/// @}
/// @name The log
/// @{

/// @param level 0 trace, 1 debug, 2 info, 3 warning, 4 error, 5 critical
/// @param text `size` bytes and a zero, without the line's end; valid until it returns.
typedef void (*torsion_log_function)(int level, const char* text, size_t size, void* user);

/// Has what the library logs, from `level` on, given to `log` instead of to stderr. One for the process; what another
/// thread logs at this moment may still go to the one before.
/// @param log called on whatever thread logs; calls nothing of this interface. NULL: stderr, as at first, when `level`
///     was 2.
/// Any thread.
TORSION_API int torsion_set_log(torsion_log_function log, int level, void* user);

/// @}
/// @name Reactors
/// @{

typedef struct torsion_reactor torsion_reactor;
struct uv_loop_s; // libuv's uv_loop_t

/// A callback without arguments but the caller's pointer.
typedef void (*torsion_function)(void* user);

/// How a reactor is embedded in a host's loop.
typedef struct torsion_options {
    size_t size;           ///< sizeof(torsion_options)
    int single_descriptor; ///< 1: the descriptor alone suffices, torsion_timeout() always says -1
    int64_t budget_us;     ///< microseconds after which a dispatch leaves the rest to the next; 0: after one turn
    int64_t patience_ms;   ///< how late a host may dispatch before it is reported; 0: 5 s; -1: never reported
} torsion_options;

/// A reactor with a loop of its own, which a host's loop drives.
/// @param options NULL for the defaults.
/// @returns the caller's, for torsion_destroy(); NULL when there are no descriptors or an option is wrong.
TORSION_API torsion_reactor* torsion_new(const torsion_options* options);

/// A reactor on the host's libuv loop, which the host runs as it always does: torsion_start(), torsion_stop() and all
/// below, but no descriptor, time-out and dispatch. What is pending (ports, connections, timers) keeps the loop alive.
/// @param loop must be the very libuv that this library calls; outlives the reactor, and runs until its handles, which
///     torsion_destroy() closes, are closed.
/// @returns as torsion_new()
TORSION_API torsion_reactor* torsion_new_on_loop(struct uv_loop_s* loop);

/// Ends the reactor, in any state: open connections hear connection_lost inside of this call, and the handle is
/// released. May be called from on_stopped; from any other callback it fails with TORSION_ERROR_STATE, and so it does
/// from one of the caller's own libuv handles on a loop that is the reactor's, and in a child process that has not
/// called torsion_after_fork().
TORSION_API int torsion_destroy(torsion_reactor* reactor);

/// As torsion_destroy(), for whoever has to know when the loop is free of the reactor's handles.
/// @param closed called once, when they are closed: inside of the caller's libuv loop, within two turns (the loop must
///     not be closed in `closed` itself); with a loop of the reactor's own, before this returns. Not NULL. Never called
///     when this fails.
TORSION_API int torsion_destroy_then(torsion_reactor* reactor, torsion_function closed, void* user);

/// For a thread that calls torsion_call_from_thread() and may outlive the reactor. Any thread.
TORSION_API int torsion_retain(torsion_reactor* reactor);

/// Gives back what torsion_retain() took. Any thread.
TORSION_API int torsion_release(torsion_reactor* reactor);

/// What to watch for input, level-triggered. Stays the reactor's: never close it, never add to or remove from it.
/// @returns the descriptor, or an error code.
TORSION_API int torsion_descriptor(torsion_reactor* reactor);

/// How long the host may wait for the descriptor, from now on.
/// @returns milliseconds; 0 when there is something to do, -1 for ever; or an error code.
TORSION_API int torsion_timeout(torsion_reactor* reactor);

/// What a dispatch came to.
enum {
    TORSION_IDLE = 0,   ///< all done; watch the descriptor, for torsion_timeout() at most
    TORSION_MORE = 1,   ///< there is more to do: dispatch again, after a look at whatever else the host has
    TORSION_BUSY = 2,   ///< nothing done: called where it cannot be, as from on_change
    TORSION_STOPPED = 3 ///< the reactor has stopped, or is destroyed: the host may quit
};

/// Does what is to be done, without waiting, and calls back. A host's loop may run inside of a callback (a dialog), and
/// dispatch again.
/// @returns what it came to, or an error code.
TORSION_API int torsion_dispatch(torsion_reactor* reactor);

/// Has `f` called when something was begun outside of a dispatch that shortens torsion_timeout(): ask for it again, or
/// dispatch, soon; not inside of `f`. Once until then. Never with a single descriptor. For hosts that do not ask before
/// each wait.
/// @param f NULL for none. Fails with TORSION_ERROR_STATE when there is one already.
TORSION_API int torsion_on_change(torsion_reactor* reactor, torsion_function f, void* user);

/// Has `f` called when a torsion_stop() has ended: everything is closed, and the host may quit, start again, or destroy
/// the reactor inside of `f`. Replaces the last one; NULL for none.
TORSION_API int torsion_on_stopped(torsion_reactor* reactor, torsion_function f, void* user);

/// Begins. Needed for torsion_stop(), and for what waits for it; connections are served before, too.
TORSION_API int torsion_start(torsion_reactor* reactor);

/// Begins to end: ports and connections are closed in later dispatches, then on_stopped is called.
/// @param drain_ms how long connections may go on sending what was written; 0: what the system takes at once.
TORSION_API int torsion_stop(torsion_reactor* reactor, int64_t drain_ms);

/// Whether it is started and not stopped: 1 or 0, or an error code.
TORSION_API int torsion_is_running(torsion_reactor* reactor);

/// How many calls of torsion_dispatch() there have been. For whoever looks for a host that spins: an idle reactor's
/// does not grow.
TORSION_API int torsion_dispatches(torsion_reactor* reactor, uint64_t* count);

/// How often something has waited for a dispatch for longer than patience_ms: the log says what.
TORSION_API int torsion_times_late(torsion_reactor* reactor, uint64_t* count);

/// Of a reactor that torsion_new() has made: in a child process that goes on with it after fork(), before anything
/// else. Then watch the descriptor anew, even when its number is the same.
TORSION_API int torsion_after_fork(torsion_reactor* reactor);

/// Grows with each torsion_after_fork(); from 0. Or an error code.
TORSION_API int torsion_generation(torsion_reactor* reactor);

/// The loop of the reactor, for libuv handles of the caller's own; close them before the reactor is destroyed.
/// @returns NULL when that fails.
TORSION_API struct uv_loop_s* torsion_loop(torsion_reactor* reactor);

/// Tells that something was begun on torsion_loop() itself, outside of a dispatch: libuv tells nobody.
TORSION_API int torsion_touch(torsion_reactor* reactor);

/// Has `f` called on the reactor's thread, in the order of these calls. Dropped when the reactor is destroyed before.
/// Any thread; a thread that may outlive the reactor retains it.
/// Fails with TORSION_ERROR_GONE once it is destroyed.
TORSION_API int torsion_call_from_thread(torsion_reactor* reactor, torsion_function f, void* user);

/// @}
/// @name Timers
/// @{

typedef struct torsion_timer torsion_timer;

/// Has `f` called once, `delay_ns` nanoseconds from now, never earlier; those of the same time in the order of these
/// calls. Dropped when the reactor is destroyed before.
/// @param timer NULL, or where to put a handle.
TORSION_API int torsion_call_later(torsion_reactor* reactor, int64_t delay_ns, torsion_function f, void* user,
                                   torsion_timer** timer);

/// The call will not happen. Fails with TORSION_ERROR_STATE when it has happened, or was cancelled.
TORSION_API int torsion_timer_cancel(torsion_timer* timer);

/// The call will happen `delay_ns` from now instead. Fails as torsion_timer_cancel().
TORSION_API int torsion_timer_reset(torsion_timer* timer, int64_t delay_ns);

/// Whether the call is still to happen: 1 or 0, or an error code.
TORSION_API int torsion_timer_is_active(torsion_timer* timer);

TORSION_API int torsion_timer_retain(torsion_timer* timer);

/// Gives the handle back; cancels nothing.
TORSION_API int torsion_timer_release(torsion_timer* timer);

/// @}
/// @name Ports and connections
/// @{

typedef struct torsion_port torsion_port;
typedef struct torsion_connector torsion_connector;
typedef struct torsion_connection torsion_connection;

/// What happens on connections; NULL for what is of no interest. The last argument is the connection's pointer, which
/// is that given to listen or connect until torsion_connection_set_user() changes it.
typedef struct torsion_handlers {
    size_t size; ///< sizeof(torsion_handlers)

    /// The connection exists.
    void (*connection_made)(torsion_connection* connection, void* user);

    /// Bytes arrived; how they are cut into calls says nothing. `data`, at least one byte, is valid until it returns.
    void (*data_received)(torsion_connection* connection, const char* data, size_t size, void* user);

    /// The connection is gone: called exactly once for each that was made, always last.
    void (*connection_lost)(torsion_connection* connection, const torsion_reason* reason, void* user);

    /// The peer will send no more. NULL: our direction is closed, too, once all is sent.
    void (*read_connection_lost)(torsion_connection* connection, void* user);

    /// torsion_connection_lose_write() is done.
    void (*write_connection_lost)(torsion_connection* connection, void* user);

    /// Of torsion_connect_tcp() alone: an attempt came to nothing. torsion_connector_connect() tries again.
    /// @param user that given to torsion_connect_tcp()
    void (*connection_failed)(const torsion_reason* reason, void* user);

    /// Nothing here is called any more: the port has stopped, or the connector is at rest and its handles are released,
    /// and its connections are lost. Comes in a later dispatch, or inside of torsion_destroy(). Of a port its handles
    /// may live longer.
    /// @param user that given to listen or connect, to be freed.
    void (*released)(void* user);
} torsion_handlers;

typedef struct torsion_listen_options {
    size_t size;            ///< sizeof(torsion_listen_options)
    const char* interface;  ///< numeric address; NULL or "": all IPv4; "::": all IPv6 and IPv4
    int backlog;            ///< connections that the kernel keeps until they are accepted; 0: 511
    int reuse_port;         ///< 1: several sockets share the port (SO_REUSEPORT)
    size_t max_connections; ///< open at once, accepting pauses at it; 0: no limit
} torsion_listen_options;

/// Listens, now. Everything that is pointed to is copied, but for what `user` points to.
/// @param number 0..65535; 0: the kernel chooses, see torsion_port_number().
/// @param options NULL for the defaults.
/// @param port NULL, or where to put a handle.
/// When it fails nothing is kept, and `released` is not called.
TORSION_API int torsion_listen_tcp(torsion_reactor* reactor, int number, const torsion_handlers* handlers, void* user,
                                   const torsion_listen_options* options, torsion_port** port);

/// The number that it listens on, or did; or an error code.
TORSION_API int torsion_port_number(torsion_port* port);

/// Stops accepting at once. Connections that were accepted live on.
/// @param done called once, later, when the number can be bound again, or the reactor is destroyed. NULL for none.
TORSION_API int torsion_port_stop(torsion_port* port, torsion_function done, void* user);

TORSION_API int torsion_port_retain(torsion_port* port);

/// Gives the handle back; the port listens on.
TORSION_API int torsion_port_release(torsion_port* port);

typedef struct torsion_connect_options {
    size_t size;           ///< sizeof(torsion_connect_options)
    int64_t timeout_ms;    ///< for look-up and connecting; 0: 30 s; -1: none
    const char* bind_host; ///< numeric local address; NULL or "": the system's choice
    int bind_port;         ///< local port, 0..65535; 0: the system's choice
} torsion_connect_options;

/// Connects to `host`, a numeric address or a name whose addresses are tried as RFC 8305 says. What comes of it is told
/// to `handlers`: connection_made or connection_failed, later.
/// @param number 1..65535
/// @param options NULL for the defaults.
/// @param connector NULL, or where to put a handle.
/// When it fails nothing is kept, and `released` is not called.
TORSION_API int torsion_connect_tcp(torsion_reactor* reactor, const char* host, int number,
                                    const torsion_handlers* handlers, void* user,
                                    const torsion_connect_options* options, torsion_connector** connector);

/// Tries again. Fails with TORSION_ERROR_STATE while it is connecting or connected.
TORSION_API int torsion_connector_connect(torsion_connector* connector);

/// Gives the attempt up (connection_failed follows), or closes the connection; else does nothing.
TORSION_API int torsion_connector_disconnect(torsion_connector* connector);

TORSION_API int torsion_connector_retain(torsion_connector* connector);

/// Gives the handle back; attempt and connection live on. Can fail for want of memory, and holds the handle then.
TORSION_API int torsion_connector_release(torsion_connector* connector);

/// Sends `size` bytes, which are copied, or in the kernel, when it returns. Nothing waits: what the peer does not take
/// is kept, see torsion_connection_buffered() and torsion_producer.
/// Fails with TORSION_ERROR_GONE when the connection is lost, or closing without a producer: the bytes are dropped.
TORSION_API int torsion_connection_write(torsion_connection* connection, const void* data, size_t size);

/// Hands what was written to the kernel now, instead of when the running callback returns.
TORSION_API int torsion_connection_flush(torsion_connection* connection);

/// Closes in order once everything written is sent, and a producer has unregistered; connection_lost follows. Does
/// nothing on one that is closing or lost, as torsion_connection_abort().
TORSION_API int torsion_connection_lose(torsion_connection* connection);

/// Ends our direction once everything written is sent; the peer's goes on.
TORSION_API int torsion_connection_lose_write(torsion_connection* connection);

/// Closes at once, with a reset, and drops what is not sent; connection_lost follows.
TORSION_API int torsion_connection_abort(torsion_connection* connection);

/// What a callback of another language does in place of throwing: logs `message` and drops the connection, with this as
/// connection_lost's reason ("CallbackError").
/// @param message copied; not NULL
TORSION_API int torsion_connection_fail(torsion_connection* connection, const char* message);

/// Stops data_received at once; the peer is slowed down once the kernel's buffers are full.
TORSION_API int torsion_connection_pause_reading(torsion_connection* connection);
TORSION_API int torsion_connection_resume_reading(torsion_connection* connection);

/// What makes the bytes of a connection, at its pace.
typedef struct torsion_producer {
    size_t size; ///< sizeof(torsion_producer)

    /// Make bytes: with `pause`, until that is called; without, one portion, and it is called again once that is sent.
    /// Not NULL.
    void (*resume)(torsion_connection* connection, void* user);

    /// Make no more until `resume`: the buffer is full, or nothing can be sent any more. NULL for a producer that is
    /// asked for each portion.
    void (*pause)(torsion_connection* connection, void* user);

    /// Make no more, the connection is about to be lost. May be NULL.
    void (*stop)(torsion_connection* connection, void* user);
} torsion_producer;

/// Makes `producer` the source of what is written here. torsion_connection_lose() waits until it is unregistered. Where
/// nothing can be written any more its `stop` is called at once.
/// @param user for the producer's functions; another than the connection's.
/// Fails with TORSION_ERROR_STATE when there is one already.
TORSION_API int torsion_connection_register_producer(torsion_connection* connection, const torsion_producer* producer,
                                                     void* user);

/// It makes nothing more. Does nothing when there is none.
TORSION_API int torsion_connection_unregister_producer(torsion_connection* connection);

/// Bytes written that the kernel has not taken yet.
TORSION_API int torsion_connection_buffered(torsion_connection* connection, size_t* bytes);

/// Whether it is there and connection_lost not called: 1 or 0, or an error code.
TORSION_API int torsion_connection_is_connected(torsion_connection* connection);

/// Room for any numeric address and its zero.
#define TORSION_HOST_SIZE 64

/// The other end's address as text, and its port. Known after the loss, too.
/// @param host `size` bytes of room; NULL when it does not matter.
/// @param number NULL when it does not matter.
/// Fails with TORSION_ERROR_ARGUMENT when there is too little room.
TORSION_API int torsion_connection_peer(torsion_connection* connection, char* host, size_t size, int* number);

/// Our end's, as torsion_connection_peer().
TORSION_API int torsion_connection_host(torsion_connection* connection, char* host, size_t size, int* number);

/// The pointer that the connection's callbacks are given from now on.
TORSION_API int torsion_connection_set_user(torsion_connection* connection, void* user);

/// That pointer. NULL when that fails, too.
TORSION_API void* torsion_connection_user(torsion_connection* connection);

TORSION_API int torsion_connection_retain(torsion_connection* connection);
TORSION_API int torsion_connection_release(torsion_connection* connection);

/// @}

#ifdef __cplusplus
}
#endif
