#include <reactor/connector.hpp>

#include <spdlog/fmt/fmt.h>

namespace torsion {

Connector::~Connector() = default;

std::string Destination::toString() const {
    const bool brackets = host.find(':') != std::string::npos;
    return brackets ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

} // namespace torsion
