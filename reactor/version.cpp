#include <reactor/version.hpp>

namespace torsion {

const char* version() noexcept {
    // A test compares the text with the numbers, and another one both with Meson's project version.
    return "0.1.0";
}

} // namespace torsion
