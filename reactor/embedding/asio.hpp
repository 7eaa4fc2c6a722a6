#pragma once

#include <reactor/embedding/detail/asio_adapter.hpp>

// Before Asio: some of its headers use it without including it (H15).
#include <utility>

#include <asio/any_io_executor.hpp>
#include <asio/error_code.hpp>
#include <asio/execution/context_as.hpp>
#include <asio/execution_context.hpp>
#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/query.hpp>
#include <asio/steady_timer.hpp>

namespace torsion {

namespace detail {

struct StandaloneAsio {
    using Context = asio::execution_context;
    using Descriptor = asio::posix::stream_descriptor;
    using ErrorCode = asio::error_code;
    using Executor = asio::any_io_executor;
    using Timer = asio::steady_timer;

    static constexpr auto kReadable = Descriptor::wait_read;

    static Context& contextOf(const Executor& executor) {
        return asio::query(executor, asio::execution::context_as_t<Context&>());
    }
};

} // namespace detail

/// A reactor inside of standalone Asio (1.18 or newer). With Boost.Asio: BoostAsioAdapter.
///
/// @code
/// asio::io_context io;
/// torsion::UvReactor reactor;
/// std::optional<torsion::AsioAdapter> adapter(std::in_place, reactor.embed(), io);
/// adapter->embedding().onStopped([&] { adapter.reset(); });
/// reactor.start();
/// asio::signal_set signals(io, SIGINT, SIGTERM);
/// signals.async_wait([&](const asio::error_code&, int) { reactor.stop(); });
/// io.run();
/// @endcode
///
/// - While it lives, and the reactor, `io.run()` has work, as with any operation that is pending; a reactor that has
///   stopped may start again, so that is not the end of it. Destroy the adapter in `onStopped`, as above, to have
///   `run()` return when there is nothing else, or call `io.stop()`.
/// - The context is run by one thread, the reactor's (debug builds assert it). A strand orders the reactor's callbacks
///   with other handlers of the strand; it is no leave to run the context in several threads.
/// - Before running the context inside of a callback (`io.run_for()` in `dataReceived`) call `refresh()`: the wait for
///   the descriptor has ended with the handler that is on the stack.
/// - The reactor and the context's other handlers take turns: Asio knows no priorities.
/// - Where Asio throws (out of memory, or the executor does) the constructor throws; later that is logged, and tried
///   again: at the next dispatch, when something is begun outside of one, and after 100 ms if the timer can be had.
/// - May be destroyed inside of a dispatch, and with its handlers pending. When the context is destroyed first, the
///   reactor stands still until it is embedded by another adapter; destroying both is all right in any order.
/// - After fork(), in the child: `io.notify_fork(asio::io_context::fork_child)`, then `afterFork()`.
class AsioAdapter final : public detail::BasicAsioAdapter<detail::StandaloneAsio> {
public:
    /// @throws std::system_error when the descriptor cannot be watched; std::logic_error when the reactor has a host;
    ///         what Asio throws
    AsioAdapter(Embedding embedding, asio::io_context& io) : AsioAdapter(std::move(embedding), io.get_executor()) {}

    /// @param executor has the handlers called; a strand, for instance
    AsioAdapter(Embedding embedding, const asio::any_io_executor& executor)
        : BasicAsioAdapter(std::move(embedding), executor) {}
};

} // namespace torsion
