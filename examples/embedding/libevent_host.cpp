// A timestamp server inside of libevent, beside a timer and the signals of libevent's own.

#include "../support/program.hpp"
#include "../support/timestamp.hpp"

#include <reactor/embedding/libevent.hpp>

#include <csignal>
#include <memory>

namespace {

using Base = std::unique_ptr<event_base, void (*)(event_base*)>;
using Event = std::unique_ptr<event, void (*)(event*)>;

void tick(evutil_socket_t, short, void* server) {
    static_cast<examples::TimestampServer*>(server)->printAnswered();
}

void stop(evutil_socket_t, short, void* reactor) {
    examples::stop(*static_cast<torsion::UvReactor*>(reactor));
}

Event makeTimer(event_base* base, int milliseconds, examples::TimestampServer& server) {
    Event timer(event_new(base, -1, EV_PERSIST, &tick, &server), &event_free);
    const timeval interval{milliseconds / 1000, milliseconds % 1000 * 1000};
    event_add(timer.get(), &interval);
    return timer;
}

Event stopBy(event_base* base, int signal, torsion::UvReactor& reactor) {
    Event event(evsignal_new(base, signal, &stop, &reactor), &event_free);
    event_add(event.get(), nullptr);
    return event;
}

} // namespace

int main(int argc, char** argv) {
    examples::Program program("Tells the time, inside of libevent.", examples::Role::Server, 21567);
    int interval = 1000;
    program.option("--interval", interval, {1, 86'400'000}, "milliseconds of the host's timer");
    return program.run(argc, argv, [&](torsion::UvReactor& reactor) {
        const Base base(event_base_new(), &event_base_free);
        torsion::LibeventAdapter inside(reactor.embed(), base.get());

        const auto server = std::make_shared<examples::TimestampServer>();
        program.listen(reactor, server);
        const Event timer = makeTimer(base.get(), interval, *server);
        const Event interrupt = stopBy(base.get(), SIGINT, reactor);
        const Event terminate = stopBy(base.get(), SIGTERM, reactor);

        // The loop ends when the reactor has: everything is closed then.
        reactor.onStopped([&] { event_base_loopbreak(base.get()); });
        reactor.start();
        event_base_dispatch(base.get());
    });
}
