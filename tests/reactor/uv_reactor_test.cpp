#include <reactor/errors.hpp>
#include <reactor/failure.hpp>
#include <reactor/libuv/uv_reactor.hpp>
#include <reactor/protocol.hpp>

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace torsion;

namespace {

class Echo : public Protocol {
    void dataReceived(std::string_view data) override { transport->write(data); }
};

class Asker : public Protocol {
public:
    explicit Asker(std::vector<std::string>* log) : log_(log) {}

    void connectionMade() override { transport->write("hello"); }
    void dataReceived(std::string_view data) override {
        received_ += data;
        if (received_ != "hello")
            return;
        log_->push_back(received_);
        transport->loseConnection();
    }
    void connectionLost(const Failure& reason) override {
        log_->push_back(reason.name());
        transport->reactor().stop();
    }

private:
    std::vector<std::string>* log_;
    std::string received_;
};

} // namespace

TEST_CASE("run() carries an echo from connectionMade to connectionLost, in both dispatch modes, again and again") {
    for (const Dispatch dispatch : {Dispatch::Direct, Dispatch::TwoPhase}) {
        UvReactor reactor(ReactorOptions{.dispatch = dispatch});
        for (int round = 0; round < 2; ++round) {
            std::vector<std::string> log;
            const auto port = reactor.listenTCP(0, Factory::forProtocol<Echo>(), {.interface = "127.0.0.1"});
            reactor.connectTCP("127.0.0.1", port->getHost().port(), ClientFactory::forProtocol<Asker>(&log));
            reactor.run();
            CHECK(log == std::vector<std::string>{"hello", "ConnectionDone"});
            CHECK(reactor.stats().connections == 0);
            CHECK_FALSE(port->isListening());
        }
    }
}
