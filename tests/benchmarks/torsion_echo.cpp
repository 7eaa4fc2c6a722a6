/// Torsion's echo with nothing around it: no command line, no back-pressure. What examples/echo_server costs more is
/// what its protocol does more.

#include "peers/peer.hpp"

#include <reactor/factory.hpp>
#include <reactor/libuv/uv_reactor.hpp>
#include <reactor/listening_port.hpp>
#include <reactor/log.hpp>
#include <reactor/protocol.hpp>

#include <string_view>

namespace {

class BareEcho : public torsion::Protocol {
    void dataReceived(std::string_view data) override { transport->write(data); }
};

} // namespace

int main() {
    torsion::log::logger()->set_level(spdlog::level::warn);
    torsion::UvReactor reactor;
    const auto port = reactor.listenTCP(0, torsion::Factory::forProtocol<BareEcho>(),
                                        {.interface = "127.0.0.1", .backlog = peer::kBacklog});
    peer::announce(port->getHost().port());
    reactor.run();
}
