#include "loop.hpp"

#include <reactor/embedding/sd_event.hpp>

#include <systemd/sd-event.h>

#include <memory>

namespace torsion::benchmarks {

namespace {

void run(Work& work) {
    sd_event* made = nullptr;
    sd_event_new(&made);
    const std::unique_ptr<sd_event, decltype(&sd_event_unref)> loop(made, &sd_event_unref);
    work.quit = [&] { sd_event_exit(loop.get(), 0); };
    const SdEventAdapter adapter(work.embed(), loop.get());
    sd_event_loop(loop.get());
}

const RegisterLoop registered{{"sd-event", 1.4, &run}};

} // namespace

} // namespace torsion::benchmarks
