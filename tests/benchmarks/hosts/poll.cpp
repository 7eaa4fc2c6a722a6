#include "loop.hpp"

#include <reactor/embedding/poll.hpp>

#include <utility>

namespace torsion::benchmarks {

namespace {

void run(Embedding embedding, Work& work) {
    bool done = false;
    work.quit = [&] { done = true; };
    PollHost host(std::move(embedding));
    while (!done)
        host.turn();
}

const RegisterLoop plain{{"poll", 1.2, {}, &run}};
const RegisterLoop single{{"poll, single descriptor", 1.2, {.singleDescriptor = true}, &run}};

} // namespace

} // namespace torsion::benchmarks
