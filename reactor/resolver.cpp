#include <reactor/resolver.hpp>

namespace torsion {

Resolver::~Resolver() = default;
Resolver::Lookup::~Lookup() = default;

} // namespace torsion
