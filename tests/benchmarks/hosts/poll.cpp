#include "loop.hpp"

#include <reactor/embedding/poll.hpp>

namespace torsion::benchmarks {

namespace {

template <bool kSingleDescriptor>
void run(Work& work) {
    bool done = false;
    work.quit = [&] { done = true; };
    PollHost host(work.embed({.singleDescriptor = kSingleDescriptor}));
    while (!done)
        host.turn();
}

const RegisterLoop plain{{"poll", 1.2, &run<false>}};
const RegisterLoop single{{"poll, single descriptor", 1.2, &run<true>}};

} // namespace

} // namespace torsion::benchmarks
