#pragma once

#include <doctest/doctest.h>

#include <cstdio>

namespace torsion::support {

/// Says that the running test case cannot be run here; the case returns after it. tests/summary.py lists it as skipped,
/// or as failed where TORSION_REQUIRE names `kind`: "peers" (a program to talk with is missing), "tools" (one of
/// the build is), "hosts" (one whose loop the reactor would be in is), "network" (no IPv6, no privilege, too few
/// descriptors), "sanitizer" (it is in the way), "debug" (assertions are compiled out). `reason` is a few words without
/// parentheses.
inline void reportSkip(const char* kind, const char* reason) {
    std::printf("[skip] %s: %s (%s)\n", kind, doctest::getContextOptions()->currentTest->m_name, reason);
    std::fflush(stdout);
}

} // namespace torsion::support
