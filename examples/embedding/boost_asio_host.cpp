// A timestamp server inside of an io_context of Boost's, beside a timer and signals that coroutines of Boost.Asio's own
// wait for. Nothing stops the context: it returns when the last that it has to do is gone.

#include "../support/program.hpp"
#include "../support/timestamp.hpp"

#include <reactor/embedding/boost_asio.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <csignal>
#include <memory>
#include <optional>

namespace {

using Milliseconds = std::chrono::milliseconds;

// Until the timer is cancelled.
boost::asio::awaitable<void> tick(boost::asio::steady_timer& timer, Milliseconds interval,
                                  const examples::TimestampServer& server) {
    boost::system::error_code error;
    auto token = boost::asio::redirect_error(boost::asio::use_awaitable, error);
    for (;;) {
        timer.expires_after(interval);
        co_await timer.async_wait(token);
        if (error)
            co_return;
        server.printAnswered();
    }
}

boost::asio::awaitable<void> stopBySignal(boost::asio::signal_set& signals, torsion::UvReactor& reactor) {
    co_await signals.async_wait(boost::asio::use_awaitable);
    examples::stop(reactor);
}

} // namespace

int main(int argc, char** argv) {
    examples::Program program("Tells the time, inside of an io_context of Boost's.", examples::Role::Server, 21567);
    int interval = 1000;
    program.option("--interval", interval, {1, 86'400'000}, "milliseconds of the host's timer");
    return program.run(argc, argv, [&](torsion::UvReactor& reactor) {
        boost::asio::io_context io;
        std::optional<torsion::BoostAsioAdapter> inside(std::in_place, reactor.embed(), io);

        const auto server = std::make_shared<examples::TimestampServer>();
        program.listen(reactor, server);
        boost::asio::steady_timer timer(io);
        boost::asio::signal_set signals(io, SIGINT, SIGTERM);
        boost::asio::co_spawn(io, tick(timer, Milliseconds(interval), *server), boost::asio::detached);
        boost::asio::co_spawn(io, stopBySignal(signals, reactor), boost::asio::detached);

        reactor.onStopped([&] {
            timer.cancel();
            inside.reset();
        });
        reactor.start();
        io.run();
    });
}
