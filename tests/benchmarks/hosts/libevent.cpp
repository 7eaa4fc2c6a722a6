#include "loop.hpp"

#include <reactor/embedding/libevent.hpp>

#include <event2/event.h>

#include <memory>

namespace torsion::benchmarks {

namespace {

void run(Work& work) {
    const std::unique_ptr<event_base, decltype(&event_base_free)> loop(event_base_new(), &event_base_free);
    work.quit = [&] { event_base_loopbreak(loop.get()); };
    const LibeventAdapter adapter(work.embed(), loop.get());
    event_base_dispatch(loop.get());
}

const RegisterLoop registered{{"libevent", 1.4, &run}};

} // namespace

} // namespace torsion::benchmarks
