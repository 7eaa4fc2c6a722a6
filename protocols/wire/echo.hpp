#pragma once

#include <reactor/protocol.hpp>

#include <string_view>

namespace torsion {

/// Sends back what it receives (RFC 862).
///
/// A peer that sends without reading is throttled, not buffered for: the transport is its own producer, so it stops
/// reading while more than its high-water mark waits to be sent. When the peer closes its direction, what it sent still
/// goes back before ours is closed.
class Echo : public Protocol {
public:
    void connectionMade() override;
    void dataReceived(std::string_view data) override;
    void readConnectionLost() override;
};

} // namespace torsion
