// Answers whatever it receives with the time of day and what it received.

#include "support/ctime.hpp"
#include "support/program.hpp"

#include <reactor/protocol.hpp>

#include <spdlog/fmt/fmt.h>

#include <string_view>

namespace {

class TimestampServer : public torsion::Protocol {
    void connectionMade() override { fmt::print("...connected from: {}\n", transport->getPeer().host()); }

    void dataReceived(std::string_view data) override {
        transport->write(fmt::format("[{}] {}", examples::ctimeOf(transport->reactor().wall()), data));
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
