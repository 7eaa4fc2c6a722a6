#include <reactor/libuv/uv_reactor.hpp>
#include <reactor/protocol.hpp>
#include <reactor/version.hpp>

#include <cstdio>

class Echo : public torsion::Protocol {
    void dataReceived(std::string_view data) override { transport->write(data); }
};

int main() {
    torsion::UvReactor reactor;
    const auto port = reactor.listenTCP(0, torsion::Factory::forProtocol<Echo>(), {.interface = "127.0.0.1"});
    reactor.callWhenRunning([&] { reactor.stop(); });
    reactor.run();
    std::printf("torsion %s listened on %s\n", torsion::version(), port->getHost().toString().c_str());
    return port->getHost().port() != 0 && torsion::kVersionMajor == 0 ? 0 : 1;
}
