// A timestamp server inside of an io_context, beside a timer and the signals of Asio's own.

#include "../support/program.hpp"
#include "../support/timestamp.hpp"

#include <reactor/embedding/asio.hpp>

#include <asio/signal_set.hpp>

#include <chrono>
#include <csignal>
#include <memory>

namespace {

void tick(asio::steady_timer& timer, std::chrono::milliseconds interval, const examples::TimestampServer& server) {
    timer.expires_after(interval);
    timer.async_wait([&timer, interval, &server](const asio::error_code& error) {
        if (error)
            return;
        server.printAnswered();
        tick(timer, interval, server);
    });
}

} // namespace

int main(int argc, char** argv) {
    examples::Program program("Tells the time, inside of an Asio io_context.", examples::Role::Server, 21567);
    int interval = 1000;
    program.option("--interval", interval, {1, 86'400'000}, "milliseconds of the host's timer");
    return program.run(argc, argv, [&](torsion::UvReactor& reactor) {
        asio::io_context io;
        torsion::AsioAdapter inside(reactor.embed(), io);

        const auto server = std::make_shared<examples::TimestampServer>();
        program.listen(reactor, server);
        asio::steady_timer timer(io);
        tick(timer, std::chrono::milliseconds(interval), *server);
        asio::signal_set signals(io, SIGINT, SIGTERM);
        signals.async_wait([&](const asio::error_code&, int) { examples::stop(reactor); });

        // The context runs until the reactor has ended: everything is closed then.
        reactor.onStopped([&] { io.stop(); });
        reactor.start();
        io.run();
    });
}
