#include <reactor/embedding/boost_asio.hpp>

#include "embedding/asio_cases.hpp"
#include "embedding/asio_host_of.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/strand.hpp>

namespace torsion::test {

namespace {

// Told that one thread runs it, it passes on what a handler posts only when that has returned.
struct OneThreadContext : boost::asio::io_context {
    OneThreadContext() : io_context(1) {}
};

struct BoostAsio {
    using Adapter = BoostAsioAdapter;
    using Descriptor = boost::asio::posix::stream_descriptor;
    using Error = boost::system::error_code;
    using Io = OneThreadContext;
    using Strand = boost::asio::strand<Io::executor_type>;
    using Timer = boost::asio::steady_timer;
    using Work = boost::asio::executor_work_guard<Io::executor_type>;
};

const RegisterHost registered{{"Boost.Asio", &makeHost<AsioHostOf<BoostAsio>>, {}}};

} // namespace

TEST_CASE("Boost.Asio: run() returns when the adapter is destroyed in onStopped") {
    checkRunReturns<BoostAsio>();
}

TEST_CASE("Boost.Asio: when the context is destroyed first, the reactor waits for another adapter") {
    checkHostGoesFirst<BoostAsio>();
}

TEST_CASE("Boost.Asio: handlers that wait when the adapter is destroyed do nothing") {
    checkHandlersOutliveAdapter<BoostAsio>();
}

TEST_CASE("Boost.Asio: the reactor's callbacks run in the strand that the adapter was given") {
    checkStrand<BoostAsio>();
}

TEST_CASE("Boost.Asio: when the first wait throws, the reactor keeps its descriptor, and may have another host") {
    checkFailingConstructor<BoostAsio, detail::BoostAsio>();
}

TEST_CASE("Boost.Asio: a wait that throws is tried again") {
    checkWaitsAreTriedAgain<BoostAsio, detail::BoostAsio>();
}

} // namespace torsion::test
