#pragma once

#include <reactor/embedding/detail/asio_adapter.hpp>

// Before Boost.Asio: before Boost 1.75 some of its headers use it without including it (H15).
#include <utility>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/execution/context_as.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/query.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/system/error_code.hpp>

namespace torsion {

namespace detail {

struct BoostAsio {
    using Context = boost::asio::execution_context;
    using Descriptor = boost::asio::posix::stream_descriptor;
    using ErrorCode = boost::system::error_code;
    using Executor = boost::asio::any_io_executor;
    using Timer = boost::asio::steady_timer;

    static constexpr auto kReadable = Descriptor::wait_read;

    static Context& contextOf(const Executor& executor) {
        return boost::asio::query(executor, boost::asio::execution::context_as_t<Context&>());
    }
};

} // namespace detail

/// A reactor inside of Boost.Asio (Boost 1.74 or newer). All that is said of AsioAdapter holds. Not for programs that
/// have standalone Asio as well: headers of Boost 1.74 and of Asio 1.22 use the same global names (asio_query_fn).
///
/// @code
/// boost::asio::io_context io;
/// torsion::UvReactor reactor;
/// torsion::BoostAsioAdapter adapter(reactor.embed(), io);
/// adapter.embedding().onStopped([&] { io.stop(); });
/// reactor.start();
/// io.run();
/// @endcode
class BoostAsioAdapter final : public detail::BasicAsioAdapter<detail::BoostAsio> {
public:
    /// @throws std::system_error when the descriptor cannot be watched; std::logic_error when the reactor has a host;
    ///         what Boost.Asio throws
    BoostAsioAdapter(Embedding embedding, boost::asio::io_context& io)
        : BoostAsioAdapter(std::move(embedding), io.get_executor()) {}

    /// @param executor has the handlers called; a strand, for instance
    BoostAsioAdapter(Embedding embedding, const boost::asio::any_io_executor& executor)
        : BasicAsioAdapter(std::move(embedding), executor) {}
};

} // namespace torsion
