#include <reactor/protocol.hpp>

#include <reactor/detail/class_name.hpp>

#include <typeinfo>

namespace torsion {

Protocol::~Protocol() = default;

void Protocol::readConnectionLost() {
    transport->loseConnection();
}

void Protocol::makeConnection(Transport& newTransport) {
    transport = &newTransport;
    connectionMade();
}

std::string Protocol::logPrefix() const {
    return detail::className(typeid(*this));
}

void Protocol::throwNoFactory() {
    throw std::bad_cast();
}

} // namespace torsion
