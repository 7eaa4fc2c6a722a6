#pragma once

#include <reactor/function.hpp>

#include <uv.h>

#include <memory>
#include <vector>

namespace torsion::uv {

/// Watches SIGINT, SIGTERM and SIGHUP while it lives, and ignores SIGPIPE where its handling was the default. SIGINT is
/// left alone when the program has a handler of its own (S-126). Its end restores every previous handling, which
/// `uv_signal_stop` does not.
///
/// How signals are handled is the process's affair, and several reactors may run on threads of it. So the handling
/// found by the first that watches a signal is kept for the whole process, under a mutex, and the last one restores it,
/// whatever the order of their ends. A signal is told to all that watch it.
class Signals {
public:
    /// @param onSignal called on the loop's thread with the signal's number.
    /// @throws std::system_error when libuv cannot watch.
    Signals(uv_loop_t* loop, Function<void(int)> onSignal);
    Signals(const Signals&) = delete;
    Signals& operator=(const Signals&) = delete;
    ~Signals();

private:
    struct Block {
        uv_signal_t handle;
        Signals* owner; // null once closing
    };

    void watch(uv_loop_t* loop, int number);
    void ignorePipe();
    void stop() noexcept;

    Function<void(int)> onSignal_;
    std::vector<Block*> watches_;
    std::vector<int> saved_; // the signals whose handling we had a part in changing
};

} // namespace torsion::uv
