#include <reactor/embedding/asio.hpp>

#include "embedding/asio_cases.hpp"
#include "embedding/asio_host_of.hpp"

#include <asio/executor_work_guard.hpp>
#include <asio/strand.hpp>

namespace torsion::test {

namespace {

struct Asio {
    using Adapter = AsioAdapter;
    using Descriptor = asio::posix::stream_descriptor;
    using Error = asio::error_code;
    using Io = asio::io_context;
    using Strand = asio::strand<Io::executor_type>;
    using Timer = asio::steady_timer;
    using Work = asio::executor_work_guard<Io::executor_type>;
};

const RegisterHost registered{{"Asio", &makeHost<AsioHostOf<Asio>>, {}}};

} // namespace

TEST_CASE("Asio: run() returns when the adapter is destroyed in onStopped") {
    checkRunReturns<Asio>();
}

TEST_CASE("Asio: when the context is destroyed first, the reactor waits for another adapter") {
    checkHostGoesFirst<Asio>();
}

TEST_CASE("Asio: handlers that wait when the adapter is destroyed do nothing") {
    checkHandlersOutliveAdapter<Asio>();
}

TEST_CASE("Asio: the reactor's callbacks run in the strand that the adapter was given") {
    checkStrand<Asio>();
}

TEST_CASE("Asio: when the first wait throws, the reactor keeps its descriptor, and may have another host") {
    checkFailingConstructor<Asio, detail::StandaloneAsio>();
}

TEST_CASE("Asio: a wait that throws is tried again") {
    checkWaitsAreTriedAgain<Asio, detail::StandaloneAsio>();
}

} // namespace torsion::test
