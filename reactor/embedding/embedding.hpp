#pragma once

#include <reactor/function.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace torsion {

class UvReactor;

namespace uv {
class EmbeddedLoop;
}

/// How a reactor is embedded.
struct EmbedOptions {
    /// The descriptor alone suffices: a timer inside of the reactor's loop makes it readable when something is due or
    /// is to be done, and `timeout()` is always none. For hosts that can watch one descriptor and nothing else. Costs a
    /// system call whenever the next deadline changes between dispatches. A loop that runs inside of a callback (a
    /// dialog) has to ask for `timeout()` once as it begins, in this mode too: what the callback has begun so far, and
    /// what waits behind it, is told then.
    bool singleDescriptor = false;

    /// A dispatch returns when it has called back for this long, and the next one goes on with the rest. Each of its
    /// phases (timed calls, flushes, connections, calls from threads, flushes again, closings) calls back once at
    /// least, so that none starves: up to six callbacks more. A shutdown closes everything at once. Zero: when it has
    /// done one turn, with one read for each connection that is ready.
    std::chrono::microseconds budget{0};

    /// For how long something may wait for a dispatch before a host that does not come round is reported: a warning in
    /// the log, which says what waits, and `Embedding::timesLate()`. What waits is what `onChange`, `timeout()` or the
    /// descriptor's timer told of, and calls from threads; not what comes from the network, which the host's own watch
    /// alone sees. Nothing of the reactor runs meanwhile, so it is noticed when that is next used: when the program
    /// begins what has to be told to the host, another thread posts a call, the host asks for `timeout()` or dispatches
    /// at last, or the reactor is destroyed. Zero: never.
    std::chrono::milliseconds patience{5000};
};
static_assert(std::is_trivially_destructible_v<EmbedOptions>);

/// What a dispatch came to.
enum class Dispatched {
    Idle,   ///< all done that was to be done; watch the descriptor, for `timeout()` at most
    More,   ///< there is more to do: dispatch again, after a look at whatever else the host has
    Busy,   ///< nothing done: called from inside the poll of a dispatch (by a libuv handle of somebody's on the
            ///< reactor's loop), or from `onChange`; do not watch the descriptor until that has returned
    Stopped ///< the reactor has stopped, and not started again, or it is gone: the host may quit. One that goes on
            ///< asks for `timeout()`, as after Idle: calls that survive the stop may be due already
};

/// A reactor inside of a host's event loop: the host waits until `fd()` is readable, for `timeout()` at most, and then
/// calls `dispatch()`, which calls protocols and timed calls back. That is all there is to an adapter; those in
/// reactor/embedding/ are examples.
///
/// @code
/// torsion::UvReactor reactor;
/// torsion::Embedding embedding = reactor.embed();
/// reactor.start();
/// for (;;) {
///     pollfd watched{embedding.fd(), POLLIN, 0};
///     const auto wait = embedding.timeout();
///     ::poll(&watched, 1, wait ? static_cast<int>(wait->count()) : -1);
///     if (embedding.dispatch() == torsion::Dispatched::Stopped)
///         break;
/// }
/// @endcode
///
/// - Level-triggered: with an edge-triggered watch (EPOLLET) connections stall (H4). A dispatch that nothing was ready
///   for does no harm.
/// - Callbacks run inside `dispatch()`, outside of libuv. A host's loop may run inside of one (a modal dialog) and
///   dispatch again: the reactor lives on, but for the connections whose callbacks are on the stack: they are not
///   called, and their input waits, until those have returned. So does a `stop()`; and it waits as well for what the
///   program runs outside of any dispatch with `Transport::guarded()`, and for whatever is called inside of a function
///   of ours (startup triggers, `startFactory()`, `startedConnecting()`, `pauseProducing()`).
/// - What is begun outside of a dispatch (a call, a write, a connect, a close) is told to `onChange`; a host that asks
///   for `timeout()` before each wait needs no telling.
/// - The reactor's `run()` and `iterate()` are refused. `start()` runs the startup triggers, `stop()` ends in a later
///   dispatch, and then `onStopped` is told; any number of times. `dispatch()` serves what is open before and after,
///   too.
/// - Exceptions of user code are logged and do not come out of `dispatch()`.
/// - The reactor handles no signals; the host does.
///
/// - While the reactor is being destroyed, a host's loop that runs in a callback finds it stopped: `dispatch()` does
///   nothing. Inside of a callback it cannot be destroyed: the program ends with a message.
///
/// A handle: copies are the same. May be kept longer than the reactor, and does nothing then. Everything is called on
/// the reactor's thread (debug builds assert it of whatever does something).
class Embedding {
public:
    explicit Embedding(std::shared_ptr<uv::EmbeddedLoop> loop) noexcept : loop_(std::move(loop)) {}

    /// What to watch for input, level-triggered. Stays the reactor's: never close it, never add to or remove from it.
    /// An epoll descriptor, which may be watched by another to a depth of four (H13). -1 when the reactor is gone.
    int fd() const noexcept;

    /// How long the host may wait for `fd()` at most, from now on: 0 when there is something to do, none for ever;
    /// rounded up to a millisecond, at most 2^31 - 1. Asking tells the reactor that the host is about to wait, so that
    /// what changes from now on is told to `onChange`; inside of a callback (a dialog) it sends what that has written
    /// so far, and the reactor's time goes on.
    std::optional<std::chrono::milliseconds> timeout() noexcept;

    /// Does what is to be done, without waiting: one turn. See Dispatched.
    Dispatched dispatch();

    /// Has `f` called when something was begun outside of a dispatch that shortens `timeout()`: the host shall ask for
    /// it again, or dispatch, soon. Once until it has. Not called for what was begun before: ask for `timeout()` once
    /// first; nor inside of a dispatch, unless the host's loop runs or ran in the callback that is on the stack; nor
    /// for calls from threads (they wake the descriptor); nor in single-descriptor mode. `f` may call `timeout()`, and
    /// nothing else of the reactor: schedule yourself.
    /// @param f null for none. @throws std::logic_error when there is one already: a reactor has one host.
    void onChange(Function<void()> f);

    /// Has `f` called when a `stop()` has ended: everything is closed, and the host may quit, start again, or destroy
    /// the reactor inside of `f`. As UvReactor::onStopped: replaces the last one.
    void onStopped(Function<void()> f);

    /// Has `f` called as the reactor's destruction begins, before anybody hears of it, and `fd()` is closed: stop
    /// watching that. For adapters.
    /// @param f null for none. @throws std::logic_error when there is one already.
    void onGone(Function<void()> f);

    /// Tells the reactor that something was begun on `UvReactor::loop()` itself (a libuv handle or request of one's own
    /// was started, from outside of a dispatch): libuv tells nobody, and a host that does not ask for `timeout()`
    /// before each wait would sleep on.
    void touch();

    /// In a child process that goes on with the reactor after fork(): call it before anything else, and then register
    /// `fd()` with the host anew, even when its number is the same (H8). The parent is not disturbed. Threads do not
    /// come along: the child has no thread pool and looks up no names. A child that does not want the reactor calls
    /// exec or _exit.
    /// @throws std::logic_error inside a dispatch; std::system_error
    void afterFork();

    /// Grows with each `afterFork()`: an adapter that has registered another generation registers again.
    unsigned generation() const noexcept;

    bool isSingleDescriptor() const noexcept;

    /// How many calls of `dispatch()` there have been, whatever they came to: those that were refused, that were made
    /// inside of another, and that came after the reactor's end count, too. For whoever looks for a host that spins: an
    /// idle reactor's does not grow.
    std::uint64_t dispatches() const noexcept;

    /// How often the host has let something wait for longer than `EmbedOptions::patience`; counts once until the next
    /// dispatch.
    std::uint64_t timesLate() const noexcept;

    /// The reactor; null when it is gone.
    UvReactor* reactor() const noexcept;

private:
    std::shared_ptr<uv::EmbeddedLoop> loop_;
};

} // namespace torsion
