#include "support/log_capture.hpp"

#include <doctest/doctest.h>

#include <reactor/factory.hpp>
#include <reactor/protocol.hpp>
#include <reactor/testing/string_transport.hpp>

#include <memory>
#include <stdexcept>
#include <string>
#include <typeinfo>
#include <utility>
#include <vector>

using namespace torsion;
using torsion::test::LogCapture;

namespace {

class Greeter : public Protocol {
public:
    explicit Greeter(std::string greeting = "hello", int times = 1) : greeting_(std::move(greeting)), times_(times) {}

    bool hadTransport = false;
    bool hadFactory = false;

    void connectionMade() override {
        hadTransport = transport != &Transport::null();
        hadFactory = factory != nullptr;
        for (int i = 0; i < times_; ++i)
            transport->write(greeting_);
    }

private:
    std::string greeting_;
    int times_;
};

class CountingFactory : public Factory {
public:
    int started = 0;
    int stopped = 0;

    std::shared_ptr<Protocol> buildProtocol(const Address&) override { return std::make_shared<Greeter>(); }
    void startFactory() override { ++started; }
    void stopFactory() override { ++stopped; }
};

class OtherFactory : public CountingFactory {};

} // namespace

TEST_CASE("S-80: a factory starts with its first user and stops after its last") {
    CountingFactory factory;
    factory.doStart();
    factory.doStart();
    CHECK(factory.started == 1);
    factory.doStop();
    CHECK(factory.stopped == 0);
    factory.doStop();
    CHECK(factory.stopped == 1);
    factory.doStart();
    CHECK(factory.started == 2);
}

TEST_CASE("S-80: one doStop too many is ignored") {
    CountingFactory factory;
    factory.doStop();
    CHECK(factory.stopped == 0);
    factory.doStart();
    CHECK(factory.started == 1);
}

TEST_CASE("S-92: starting and stopping is logged with the class, unless the factory is not noisy") {
    const LogCapture log;
    CountingFactory factory;
    factory.doStart();
    factory.doStop();
    CHECK(log.count("Starting factory " + factory.logPrefix()) == 1);
    CHECK(log.count("Stopping factory " + factory.logPrefix()) == 1);
    factory.noisy = false;
    factory.doStart();
    factory.doStop();
    CHECK(log.count() == 2);
}

TEST_CASE("E23: forProtocol makes a protocol of that class for each connection, with the arguments") {
    const auto factory = Factory::forProtocol<Greeter>(std::string("hi"), 2);
    const auto first = factory->buildProtocol(Address::none());
    const auto second = factory->buildProtocol(Address::none());
    CHECK(first != second);
    CHECK(first->factory == factory.get());
    for (const auto& protocol : {first, second}) {
        testing::StringTransport transport;
        protocol->makeConnection(transport);
        CHECK(transport.value() == "hihi");
    }
}

TEST_CASE("E24: makeConnection sets the transport before connectionMade") {
    Greeter greeter;
    testing::StringTransport transport;
    CHECK(greeter.transport == &Transport::null());
    greeter.makeConnection(transport);
    CHECK(greeter.hadTransport);
    CHECK(greeter.transport == &transport);
}

TEST_CASE("fromFunction asks the function for each connection, with the peer; null refuses") {
    std::vector<Address> peers;
    const auto factory = Factory::fromFunction([&](const Address& peer) -> std::shared_ptr<Protocol> {
        peers.push_back(peer);
        return peers.size() == 1 ? std::make_shared<Greeter>() : nullptr;
    });
    const Address peer = Address::ipv4("192.0.2.1", 7);
    CHECK(factory->buildProtocol(peer) != nullptr);
    CHECK(factory->buildProtocol(peer) == nullptr);
    CHECK(peers == std::vector{peer, peer});
}

TEST_CASE("client factories are made in the same two ways") {
    const auto ofClass = ClientFactory::forProtocol<Greeter>();
    CHECK(ofClass->buildProtocol(Address::none()) != nullptr);
    const auto ofFunction = ClientFactory::fromFunction([](const Address&) { return std::make_shared<Greeter>(); });
    CHECK(ofFunction->buildProtocol(Address::none()) != nullptr);
}

TEST_CASE("a factory is called after its protocol in logs, or after its own class") {
    CHECK(Factory::forProtocol<Greeter>()->logPrefix().ends_with("GreeterFactory"));
    CHECK(OtherFactory().logPrefix().ends_with("OtherFactory"));
}

TEST_CASE("factoryAs gives the factory as the class it is, and throws for another and for none") {
    CountingFactory factory;
    Greeter greeter;
    CHECK_THROWS_AS(greeter.factoryAs<CountingFactory>(), std::bad_cast);
    greeter.factory = &factory;
    CHECK(&greeter.factoryAs<CountingFactory>() == &factory);
    CHECK_THROWS_AS(greeter.factoryAs<OtherFactory>(), std::bad_cast);
}
