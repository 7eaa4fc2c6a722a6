#include <reactor/listening_port.hpp>

namespace torsion {

ListeningPort::~ListeningPort() = default;

} // namespace torsion
