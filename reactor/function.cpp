#include <reactor/function.hpp>

namespace torsion::detail {

void throwEmptyFunction() {
    throw std::bad_function_call();
}

} // namespace torsion::detail
