#pragma once

#include <chrono>
#include <string>

namespace examples {

/// The local time as ctime() writes it: "Sat Nov 21 10:57:32 2026".
std::string ctimeOf(std::chrono::system_clock::time_point time);

} // namespace examples
