#pragma once

#include <reactor/embedding/embedding.hpp>
#include <reactor/libuv/uv_reactor.hpp>

#include <functional>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace torsion::benchmarks {

/// What a host's loop is to do: run a reactor until the messages have gone to and fro.
class Work {
public:
    /// @param begin gives a new reactor its work.
    explicit Work(std::function<void(UvReactor&)> begin) : begin_(std::move(begin)) {}

    /// A reactor for the host's loop, with its work begun.
    Embedding embed(const EmbedOptions& options = {}) {
        const Embedding embedding = reactor_.emplace().embed(options);
        begin_(*reactor_);
        return embedding;
    }

    /// A reactor on the host's loop, which is libuv's.
    void beginOn(uv_loop_s* loop) { begin_(reactor_.emplace(loop)); }

    /// Destroys it.
    void end() { reactor_.reset(); }

    /// What ends the host's loop, set by the host before it runs it. Called in a dispatch.
    std::function<void()> quit;

private:
    std::function<void(UvReactor&)> begin_;
    std::optional<UvReactor> reactor_;
};

/// A host's loop with a reactor inside, as a program of this host has it: its own function to run it, nothing more. A
/// file for each.
struct HostLoop {
    std::string_view name;

    /// At most this many times the CPU of the reactor's own `run()`, with one connection; 0: as it comes.
    double goal;

    /// Makes the loop and the adapter, and runs it until `work.quit` has been called.
    void (*run)(Work& work);
};

/// Those in this program, by the order of their names.
const std::vector<HostLoop>& hostLoops();

struct RegisterLoop {
    explicit RegisterLoop(const HostLoop& loop);
};

} // namespace torsion::benchmarks
