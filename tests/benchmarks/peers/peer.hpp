#pragma once

#include <unistd.h>

#include <cstdio>

/// What every server of the benchmark does besides serving. They take no arguments, listen on 127.0.0.1 with a port
/// that the kernel chooses, and run until a signal ends them.
namespace peer {

inline constexpr int kBacklog = 4096;
inline constexpr std::size_t kReadBuffer = 65'536; // bytes

/// Says where the server listens, and has it end by itself when it was forgotten.
/// @param port in the host's byte order
inline void announce(unsigned port) {
    ::alarm(600); // seconds
    std::printf("READY %u\n", port);
    std::fflush(stdout);
}

} // namespace peer
