#include "loop.hpp"

#include <reactor/embedding/frame.hpp>

#include <chrono>

namespace torsion::benchmarks {

namespace {

void run(Work& work) {
    using namespace std::chrono_literals;
    bool done = false;
    work.quit = [&] { done = true; };
    FrameAdapter inside(work.embed());
    for (auto next = FrameAdapter::Clock::now(); !done;) {
        next += 16'667us;
        inside.until(next, [&] { return done; });
    }
}

const RegisterLoop registered{{"frames", 1.4, &run}};

} // namespace

} // namespace torsion::benchmarks
