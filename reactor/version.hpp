#pragma once

namespace torsion {

/// The version of the headers a program was compiled with. Versions are numbered after semver.org.
inline constexpr int kVersionMajor = 0;
inline constexpr int kVersionMinor = 1;
inline constexpr int kVersionPatch = 0;

/// The version of the library a program runs with, as "MAJOR.MINOR.PATCH". It may differ from the constants above where
/// the shared library was replaced. Static storage; may be called on any thread.
const char* version() noexcept;

} // namespace torsion
