#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace torsion::benchmarks {

/// Runs `f` in a child process, which ends with it; so nothing that a host leaves behind meets the next.
/// @returns what `f` does: a few words or figures, up to 4 KiB. @throws std::runtime_error when the child fails
std::string inChild(const std::function<std::string()>& f);

/// Runs `f` in a child process, under ptrace.
/// @returns how many system calls it and its threads make, starting and ending included; none where ptrace is not
///     allowed
std::uint64_t systemCallsOf(const std::function<void()>& f);

} // namespace torsion::benchmarks
