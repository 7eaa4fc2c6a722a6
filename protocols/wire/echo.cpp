#include <protocols/wire/echo.hpp>

namespace torsion {

void Echo::connectionMade() {
    transport->registerProducer(*transport);
}

void Echo::dataReceived(std::string_view data) {
    transport->write(data);
}

// A close waits for a registered producer, and this one has nothing more to come.
void Echo::readConnectionLost() {
    transport->unregisterProducer();
    transport->loseConnection();
}

} // namespace torsion
