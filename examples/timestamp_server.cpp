// Answers whatever it receives with the time of day and what it received.

#include "support/program.hpp"

#include <reactor/protocol.hpp>

#include <spdlog/fmt/fmt.h>

#include <chrono>
#include <ctime>
#include <string>
#include <string_view>

namespace {

// "Sat Nov 21 10:57:32 2026"
std::string ctimeOf(std::chrono::system_clock::time_point time) {
    const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
    std::tm parts{};
    localtime_r(&seconds, &parts);
    char text[64];
    return {text, std::strftime(text, sizeof text, "%a %b %e %H:%M:%S %Y", &parts)};
}

class TimestampServer : public torsion::Protocol {
    void connectionMade() override { fmt::print("...connected from: {}\n", transport->getPeer().host()); }

    void dataReceived(std::string_view data) override {
        transport->write(fmt::format("[{}] {}", ctimeOf(transport->reactor().wall()), data));
    }
};

} // namespace

int main(int argc, char** argv) {
    examples::Program program("Answers with the time and what it received.", examples::Role::Server, 21567);
    return program.run(argc, argv, [&](torsion::UvReactor& reactor) {
        fmt::print("waiting for connection...\n");
        program.serve(reactor, torsion::Factory::forProtocol<TimestampServer>());
    });
}
