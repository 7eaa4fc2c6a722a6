#pragma once

#include <time.h>

#include <algorithm>
#include <cstddef>
#include <vector>

/// What the programs that print tables of times have in common.
namespace torsion::benchmarks {

/// Whether Asio's headers were there, with which the table has further columns.
#ifdef TORSION_WITH_ASIO
inline constexpr bool kWithAsio = true;
#else
inline constexpr bool kWithAsio = false;
#endif

inline double median(std::vector<double> values) {
    std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
    return values[values.size() / 2];
}

/// Nanoseconds that the program has had a processor.
inline double processorTime() {
    timespec time{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

} // namespace torsion::benchmarks
