#pragma once

#include <reactor/embedding/embedding.hpp>

#include <functional>
#include <string_view>
#include <vector>

namespace torsion::benchmarks {

/// What a host's loop is to do: run until the messages have gone to and fro.
struct Work {
    /// What ends the host's loop, set by the host before it runs it. Called in a dispatch.
    std::function<void()> quit;
};

/// A host's loop with a reactor inside, as a program of this host has it: its own function to run it, nothing more. A
/// file for each.
struct HostLoop {
    std::string_view name;

    /// At most this many times the CPU of the reactor's own `run()`, with one connection; 0: as it comes.
    double goal;

    EmbedOptions options;

    /// Makes the loop and the adapter, and runs it until `work.quit` has been called.
    void (*run)(Embedding embedding, Work& work);
};

/// Those in this program, by the order of their names.
const std::vector<HostLoop>& hostLoops();

struct RegisterLoop {
    explicit RegisterLoop(const HostLoop& loop);
};

} // namespace torsion::benchmarks
