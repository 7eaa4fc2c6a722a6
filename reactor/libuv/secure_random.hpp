#pragma once

#include <reactor/random.hpp>

namespace torsion {

/// Random numbers from the operating system, fit for secrets: identifiers, keys, tokens. One system call each.
class SecureRandom final : public Random {
public:
    /// Throws std::system_error when the system has none to give.
    std::uint64_t next() override;
};

} // namespace torsion
