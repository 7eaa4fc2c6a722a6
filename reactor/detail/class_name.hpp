#pragma once

#include <string>
#include <typeinfo>

namespace torsion::detail {

/// The name of a class as it stands in the source, e.g. "chat::ChatFactory", for messages and logs. Where the
/// compiler's runtime cannot tell, the mangled name. May be called on any thread.
std::string className(const std::type_info& type);

} // namespace torsion::detail
