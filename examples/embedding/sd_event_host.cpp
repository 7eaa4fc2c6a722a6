// A timestamp server inside of sd-event, beside a timer and the signals of sd-event's own: a daemon that systemd starts
// with Type=notify is told when it is ready.

#include "../support/program.hpp"
#include "../support/timestamp.hpp"

#include <reactor/embedding/sd_event.hpp>

#include <systemd/sd-daemon.h>

#include <csignal>
#include <cstdint>
#include <memory>
#include <system_error>

namespace {

void check(int result, const char* call) {
    if (result < 0)
        throw std::system_error(-result, std::generic_category(), call);
}

struct Ticking {
    std::uint64_t interval; // in microseconds
    const examples::TimestampServer& server;
};

int tick(sd_event_source* timer, std::uint64_t due, void* ticking) {
    const auto& [interval, server] = *static_cast<Ticking*>(ticking);
    server.printAnswered();
    return sd_event_source_set_time(timer, due + interval);
}

int stop(sd_event_source*, const signalfd_siginfo*, void* reactor) {
    sd_notify(0, "STOPPING=1");
    examples::stop(*static_cast<torsion::UvReactor*>(reactor));
    return 0;
}

// sd-event takes signals that are blocked.
void stopBySignals(sd_event* event, torsion::UvReactor& reactor) {
    sigset_t signals{};
    sigemptyset(&signals);
    for (const int signal : {SIGINT, SIGTERM}) {
        sigaddset(&signals, signal);
        pthread_sigmask(SIG_BLOCK, &signals, nullptr);
        check(sd_event_add_signal(event, nullptr, signal, &stop, &reactor), "sd_event_add_signal");
    }
}

void startTimer(sd_event* event, Ticking& ticking) {
    sd_event_source* timer = nullptr;
    check(sd_event_add_time_relative(event, &timer, CLOCK_MONOTONIC, ticking.interval, 1, &tick, &ticking),
          "sd_event_add_time_relative");
    check(sd_event_source_set_enabled(timer, SD_EVENT_ON), "sd_event_source_set_enabled");
    check(sd_event_source_set_floating(timer, 1), "sd_event_source_set_floating");
    sd_event_source_unref(timer); // the event loop has it
}

} // namespace

int main(int argc, char** argv) {
    examples::Program program("Tells the time, inside of sd-event.", examples::Role::Server, 21567);
    int interval = 1000;
    program.option("--interval", interval, {1, 86'400'000}, "milliseconds of the host's timer");
    return program.run(argc, argv, [&](torsion::UvReactor& reactor) {
        sd_event* made = nullptr;
        check(sd_event_default(&made), "sd_event_default");
        const std::unique_ptr<sd_event, sd_event* (*)(sd_event*)> event(made, &sd_event_unref);
        torsion::SdEventAdapter inside(reactor.embed(), made);

        const auto server = std::make_shared<examples::TimestampServer>();
        program.listen(reactor, server);
        Ticking ticking{static_cast<std::uint64_t>(interval) * 1000, *server};
        startTimer(made, ticking);
        stopBySignals(made, reactor);
        reactor.callWhenRunning([] { sd_notify(0, "READY=1"); });

        // The loop ends when the reactor has: everything is closed then.
        reactor.onStopped([&] { sd_event_exit(made, 0); });
        reactor.start();
        check(sd_event_loop(made), "sd_event_loop");
    });
}
