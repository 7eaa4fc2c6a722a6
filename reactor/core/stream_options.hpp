#pragma once

#include <reactor/options.hpp>
#include <reactor/transport.hpp>

#include <chrono>

namespace torsion::core {

// What every backend refuses, with std::invalid_argument, before the system is asked.

void checkStreamOptions(const StreamOptions& options);

/// No time may be negative.
void checkCloseLimits(const CloseLimits& limits);

/// The ranges are Linux's (tcp(7)): 1..32767 s, and 1..127 probes.
void checkKeepAlive(const KeepAlive& times);

/// As the kernel keeps it: 0..2147483647 ms.
void checkUserTimeout(std::chrono::milliseconds timeout);

} // namespace torsion::core
