// A timestamp server inside of a GLib main loop, beside a timer and the signals of GLib's own.

#include "../support/program.hpp"
#include "../support/timestamp.hpp"

#include <reactor/embedding/glib.hpp>

#include <glib-unix.h>

#include <csignal>
#include <memory>

namespace {

gboolean tick(gpointer server) {
    static_cast<examples::TimestampServer*>(server)->printAnswered();
    return G_SOURCE_CONTINUE;
}

// The loop ends when the reactor has: everything is closed then.
gboolean stop(gpointer reactor) {
    examples::stop(*static_cast<torsion::UvReactor*>(reactor));
    return G_SOURCE_CONTINUE;
}

} // namespace

int main(int argc, char** argv) {
    examples::Program program("Tells the time, inside of a GLib main loop.", examples::Role::Server, 21567);
    int interval = 1000;
    program.option("--interval", interval, {1, 86'400'000}, "milliseconds of the host's timer");
    return program.run(argc, argv, [&](torsion::UvReactor& reactor) {
        const std::unique_ptr<GMainLoop, void (*)(GMainLoop*)> loop(g_main_loop_new(nullptr, FALSE),
                                                                    &g_main_loop_unref);
        torsion::GLibAdapter inside(reactor.embed());

        const auto server = std::make_shared<examples::TimestampServer>();
        program.listen(reactor, server);
        g_timeout_add(static_cast<guint>(interval), &tick, server.get());
        g_unix_signal_add(SIGINT, &stop, &reactor);
        g_unix_signal_add(SIGTERM, &stop, &reactor);

        reactor.onStopped([&] { g_main_loop_quit(loop.get()); });
        reactor.start();
        g_main_loop_run(loop.get());
    });
}
