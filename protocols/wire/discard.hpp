#pragma once

#include <reactor/protocol.hpp>

#include <string_view>

namespace torsion {

/// Takes what it receives and says nothing (RFC 863).
class Discard : public Protocol {
public:
    void dataReceived(std::string_view) override {}
};

} // namespace torsion
