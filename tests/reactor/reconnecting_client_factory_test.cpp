#include <reactor/errors.hpp>
#include <reactor/protocol.hpp>
#include <reactor/reconnecting_client_factory.hpp>
#include <reactor/testing/clock.hpp>

#include "support/log_capture.hpp"
#include "support/scripted_reactor.hpp"
#include <doctest/doctest.h>

#include <cerrno>
#include <chrono>
#include <limits>
#include <memory>
#include <stdexcept>
#include <vector>

using namespace torsion;
using namespace std::chrono_literals;
using test::LogCapture;
using test::ScriptedReactor;

namespace {

class CountingFactory final : public ReconnectingClientFactory {
public:
    CountingFactory() {
        noisy = false;
        jitter = 0;
    }
    std::shared_ptr<Protocol> buildProtocol(const Address&) override {
        if (resets)
            resetDelay();
        return std::make_shared<Protocol>();
    }
    void startFactory() override { ++starts; }
    void stopFactory() override { ++stops; }

    bool resets = false;
    int starts = 0;
    int stops = 0;
};

struct Fixture {
    testing::Clock clock;
    ScriptedReactor reactor;
    std::shared_ptr<CountingFactory> factory = std::make_shared<CountingFactory>();
    std::shared_ptr<Connector> connector;

    void connect() {
        factory->clock = &clock;
        connector = reactor.connectTCP("192.0.2.1", 80, factory);
    }
    std::size_t attempts() const { return reactor.attempts.size(); }
    void failLast() {
        reactor.attempts[attempts() - 1].fail(getConnectError(ECONNREFUSED));
        reactor.step();
    }
    void succeedLast() { reactor.attempts[attempts() - 1].succeed(); }
    void loseConnection() {
        connector->transport().abortConnection();
        reactor.step();
    }
};

} // namespace

TEST_CASE_FIXTURE(Fixture, "F17: with a test clock exactly the scheduled reconnects happen") {
    connect();
    failLast();
    CHECK(clock.getDelayedCalls().size() == 1);
    CHECK(factory->delay() == 2718ms);
    clock.advance(2717ms);
    CHECK(attempts() == 1);
    clock.advance(1ms);
    CHECK(attempts() == 2);
    CHECK(clock.getDelayedCalls().empty());
    failLast();
    clock.advance(factory->delay());
    CHECK(attempts() == 3);
}

TEST_CASE_FIXTURE(Fixture, "S-110: delays grow with the number of the attempt, up to the maximum") {
    connect();
    std::vector<std::int64_t> delays;
    for (int i = 0; i < 10; ++i) {
        failLast();
        delays.push_back(factory->delay().count());
        clock.advance(factory->delay());
    }
    CHECK(delays ==
          std::vector<std::int64_t>{2718, 7389, 20086, 54598, 148413, 403429, 1096633, 2980958, 3600000, 3600000});
}

TEST_CASE_FIXTURE(Fixture, "S-110: jitter varies the delay, never beyond the maximum, and does not add up") {
    factory->jitter = 0.12;
    factory->factor = 1.0;
    factory->initialDelay = 10s;
    factory->maxDelay = 12s;
    connect();
    bool varied = false;
    for (int i = 0; i < 500; ++i) {
        failLast();
        CHECK(factory->delay() <= 12s);
        CHECK(factory->delay() >= 2s); // six deviations off
        varied = varied || factory->delay() != 10s;
        clock.advance(factory->delay());
    }
    CHECK(varied);
    CHECK(factory->retries() == 500);
}

TEST_CASE_FIXTURE(Fixture, "S-110: the same seed gives the same delays") {
    factory->jitter = 0.12;
    connect();
    failLast();
    ScriptedReactor otherReactor;
    const auto other = std::make_shared<CountingFactory>();
    other->jitter = 0.12;
    other->clock = &clock;
    otherReactor.connectTCP("192.0.2.1", 80, other);
    otherReactor.attempts[0].fail(getConnectError(ECONNREFUSED));
    otherReactor.step();
    CHECK(other->delay() == factory->delay());
    other->stopTrying();
}

TEST_CASE_FIXTURE(Fixture, "S-110: extreme settings give delays from zero to the maximum") {
    factory->factor = std::numeric_limits<double>::max();
    factory->maxDelay = 1h;
    connect();
    failLast();
    clock.advance(factory->delay());
    failLast();
    CHECK(factory->delay() == 1h);
    clock.advance(1h);

    factory->initialDelay = 0ms;
    failLast();
    CHECK(factory->delay() == 0ms);
}

TEST_CASE_FIXTURE(Fixture, "S-110: maxRetries in a row, and no more") {
    LogCapture log;
    factory->noisy = true;
    factory->maxRetries = 2;
    connect();
    for (int i = 0; i < 2; ++i) {
        failLast();
        clock.advance(factory->delay());
    }
    CHECK(attempts() == 3);
    failLast();
    CHECK(clock.getDelayedCalls().empty());
    CHECK(log.contains("abandoning 192.0.2.1:80 after 2 retries"));
}

TEST_CASE_FIXTURE(Fixture, "S-111: resetDelay() begins again with the first delay") {
    factory->resets = true;
    connect();
    failLast();
    clock.advance(factory->delay());
    failLast();
    clock.advance(factory->delay());
    succeedLast();
    CHECK(factory->retries() == 0);
    CHECK(factory->delay() == 1000ms);
    loseConnection();
    CHECK(factory->delay() == 2718ms);
}

TEST_CASE_FIXTURE(Fixture, "S-111: a retry that waits can be stopped after resetDelay()") {
    connect();
    failLast();
    factory->resetDelay();
    CHECK(clock.getDelayedCalls().size() == 1);
    factory->stopTrying();
    CHECK(clock.getDelayedCalls().empty());
}

TEST_CASE_FIXTURE(Fixture, "S-101: the factory is stopped while it waits, and started for each retry") {
    connect();
    CHECK(factory->starts == 1);
    failLast();
    CHECK(factory->stops == 1);
    clock.advance(factory->delay());
    CHECK(factory->starts == 2);
}

TEST_CASE_FIXTURE(Fixture, "F15: stopTrying while connected keeps the connection, and nothing is tried after it") {
    connect();
    succeedLast();
    factory->stopTrying();
    CHECK(connector->state() == Connector::State::Connected);
    loseConnection();
    CHECK(clock.getDelayedCalls().empty());
    CHECK_FALSE(factory->isTrying());
}

TEST_CASE_FIXTURE(Fixture, "F16: stopTrying gives an attempt up, and it is not retried") {
    connect();
    factory->stopTrying();
    reactor.step();
    CHECK(connector->state() == Connector::State::Disconnected);
    CHECK(clock.getDelayedCalls().empty());
    CHECK(attempts() == 1);
}

TEST_CASE_FIXTURE(Fixture, "S-112: stopTrying cancels a retry that waits; retry() works again after resetDelay()") {
    connect();
    failLast();
    factory->stopTrying();
    CHECK(clock.getDelayedCalls().empty());
    factory->retry();
    CHECK(clock.getDelayedCalls().empty());
    factory->resetDelay();
    factory->retry();
    CHECK(clock.getDelayedCalls().size() == 1);
}

TEST_CASE_FIXTURE(Fixture, "S-113: an attempt that the program gave up is tried again as well") {
    connect();
    connector->stopConnecting();
    reactor.step();
    CHECK(clock.getDelayedCalls().size() == 1);
}

TEST_CASE_FIXTURE(Fixture, "a retry does nothing when the connector was connected meanwhile") {
    connect();
    failLast();
    connector->connect();
    clock.advance(factory->delay());
    CHECK(attempts() == 2);
}

TEST_CASE("retry() without a connector throws") {
    CountingFactory factory;
    CHECK_THROWS_AS(factory.retry(), std::logic_error);
    factory.stopTrying();
}

TEST_CASE("the connector's reactor is the clock unless another is set, and waiting keeps factory and connector alive") {
    std::weak_ptr<CountingFactory> weak;
    {
        ScriptedReactor reactor;
        const auto factory = std::make_shared<CountingFactory>();
        weak = factory;
        reactor.connectTCP("192.0.2.1", 80, factory);
        reactor.attempts[0].fail(getConnectError(ECONNREFUSED));
        reactor.step();
        CHECK(reactor.getDelayedCalls().size() == 1);
        reactor.advance(2718ms);
        CHECK(reactor.attempts.size() == 2);
        reactor.attempts[1].fail(getConnectError(ECONNREFUSED));
        reactor.step();
    }
    CHECK(weak.expired()); // also with a retry waiting when the reactor ended
}

TEST_CASE("forProtocol and fromFunction make reconnecting factories") {
    const auto simple = ReconnectingClientFactory::forProtocol<Protocol>();
    CHECK(simple->buildProtocol(Address::none()) != nullptr);
    const auto refusing =
        ReconnectingClientFactory::fromFunction([](const Address&) { return std::shared_ptr<Protocol>(); });
    CHECK(refusing->buildProtocol(Address::none()) == nullptr);
}
