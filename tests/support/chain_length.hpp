#pragma once

#include <reactor/detail/sanitizer.hpp>

#include <cstdlib>

namespace torsion::test {

/// How long a chain has to be to show that it takes no stack: a million. AddressSanitizer takes ten times as long, and
/// makes frames so large that a fifth shows it too: there it is a million with --long alone.
inline int chainLength() {
    constexpr int kMillion = 1'000'000;
    return torsion::detail::kAddressSanitizer && std::getenv("TORSION_LONG") == nullptr ? kMillion / 5 : kMillion;
}

} // namespace torsion::test
