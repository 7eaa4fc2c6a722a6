#include "support/log_capture.hpp"

#include <reactor/errors.hpp>
#include <reactor/protocol.hpp>
#include <reactor/testing/strict_producers.hpp>
#include <reactor/testing/string_transport.hpp>

#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

using namespace std::chrono_literals;
using namespace torsion;
using testing::ProducerState;
using testing::StrictPullProducer;
using testing::StrictPushProducer;
using testing::StringTransport;
using Calls = std::vector<std::string>;

namespace {

// Answers each line with itself, until the line is "QUIT".
class Repeater : public Protocol {
public:
    std::string received;
    Failure reason;
    int lost = 0;

    void connectionMade() override { transport->write("hello\n"); }
    void dataReceived(std::string_view data) override {
        received += data;
        if (data == "QUIT")
            return transport->loseConnection();
        if (data == "BUG")
            throw std::runtime_error("a bug in the protocol");
        transport->write(data);
    }
    void connectionLost(const Failure& why) override {
        reason = why;
        ++lost;
    }
};

} // namespace

TEST_CASE("StringTransport: a connected protocol is made, writes, receives, closes and is lost") {
    StringTransport transport;
    auto protocol = std::make_shared<Repeater>();
    transport.connect(protocol);
    CHECK(transport.value() == "hello\n");
    transport.clear();
    CHECK(transport.value().empty());
    transport.receive("one");
    transport.receive("two");
    CHECK(transport.value() == "onetwo");
    CHECK_FALSE(transport.disconnecting());
    transport.receive("QUIT");
    CHECK(transport.disconnecting());
    CHECK(transport.writeEnded());
    CHECK_FALSE(transport.aborted());
    CHECK(protocol->lost == 1);
    CHECK(protocol->reason.check<ConnectionDone>());
    CHECK(transport.reason().check<ConnectionDone>());
    CHECK_FALSE(transport.isConnected());
}

TEST_CASE("StringTransport: a protocol can be given the transport by hand") {
    StringTransport transport;
    Repeater protocol;
    protocol.makeConnection(transport);
    protocol.dataReceived("ping");
    CHECK(transport.value() == "hello\nping");
    CHECK_THROWS(protocol.dataReceived("BUG"));
    protocol.dataReceived("QUIT");
    CHECK(transport.disconnecting());
}

TEST_CASE("StringTransport: what arrives before there is a protocol waits for it") {
    StringTransport transport;
    transport.receive("early");
    auto protocol = std::make_shared<Repeater>();
    transport.connect(protocol);
    CHECK(protocol->received == "early");
}

TEST_CASE("U1 (S-11): StringTransport records its producer and the kind, and refuses a second one") {
    StringTransport transport;
    StrictPushProducer push;
    StrictPullProducer pull;
    transport.registerProducer(push);
    CHECK(transport.producer() == &push);
    CHECK(transport.isStreaming());
    CHECK_THROWS_AS(transport.registerProducer(pull), ProducerAlreadyRegistered);
    CHECK(transport.producer() == &push);
    transport.unregisterProducer();
    CHECK(transport.producer() == nullptr);
    transport.registerProducer(pull);
    CHECK(transport.producer() == &pull);
    CHECK_FALSE(transport.isStreaming());
    transport.unregisterProducer();
    transport.unregisterProducer(); // S-19: silent
}

TEST_CASE("StringTransport: a producer that is destroyed is forgotten") {
    StringTransport transport;
    {
        StrictPushProducer producer;
        transport.registerProducer(producer);
    }
    CHECK(transport.producer() == nullptr);
}

TEST_CASE("U2 (S-24): pausing, resuming and stopping a StringTransport change its state as a producer") {
    StringTransport transport;
    CHECK(transport.producerState() == ProducerState::Producing);
    transport.pauseProducing();
    CHECK(transport.producerState() == ProducerState::Paused);
    transport.resumeProducing();
    CHECK(transport.producerState() == ProducerState::Producing);
    transport.stopProducing();
    CHECK(transport.producerState() == ProducerState::Stopped);
    CHECK(transport.disconnecting());
}

TEST_CASE("U3 (S-24): a StringTransport that disconnects is not resumed (Twisted's double throws, no transport does)") {
    StringTransport transport;
    auto protocol = std::make_shared<Repeater>();
    transport.connect(protocol);
    transport.loseConnection();
    transport.resumeProducing();
    CHECK(transport.producerState() == ProducerState::Stopped);
    transport.receive("late");
    CHECK(protocol->received.empty());
}

TEST_CASE("U4 (S-27): loseConnection makes a StringTransport disconnecting, and nothing else at once") {
    StringTransport transport;
    auto protocol = std::make_shared<Repeater>();
    transport.connect(protocol);
    transport.loseConnection();
    CHECK(transport.disconnecting());
    CHECK(transport.isConnected());
    CHECK(protocol->lost == 0);
    transport.settle();
    CHECK(protocol->lost == 1);
}

TEST_CASE("U5: the addresses of a StringTransport are those it was given, or its defaults") {
    StringTransport plain;
    CHECK(plain.getPeer() == StringTransport::defaultPeer());
    CHECK(plain.getHost() == StringTransport::defaultHost());
    const Address peer = Address::ipv6("2001:db8::1", 7);
    const Address host = Address::ipv6("2001:db8::2", 8);
    StringTransport given(peer, host);
    auto protocol = std::make_shared<Repeater>();
    given.connect(protocol);
    CHECK(protocol->transport->getPeer() == peer);
    CHECK(protocol->transport->getHost() == host);
}

TEST_CASE("U7 (S-5): writes to a StringTransport after loseConnection are dropped and counted") {
    StringTransport transport;
    const std::array<std::string_view, 2> pieces{"two", "three"};
    transport.write("one");
    transport.loseConnection();
    transport.write("four");
    transport.writeSequence(pieces);
    CHECK(transport.value() == "one");
    CHECK(transport.droppedBytes() == 12);
}

TEST_CASE("U8: strict producers notice calls that a consumer must not make") {
    StrictPushProducer push;
    CHECK_THROWS_AS(push.resumeProducing(), std::logic_error); // not paused
    push.pauseProducing();
    CHECK_THROWS_AS(push.pauseProducing(), std::logic_error);
    push.resumeProducing();
    CHECK_THROWS_AS(push.resumeProducing(), std::logic_error);
    push.stopProducing();
    CHECK_THROWS_AS(push.pauseProducing(), std::logic_error);
    CHECK_THROWS_AS(push.stopProducing(), std::logic_error);
    CHECK(push.violations().size() == 5);
    StrictPullProducer pull;
    pull.onResume = [&] { pull.resumeProducing(); };
    CHECK_THROWS_AS(pull.resumeProducing(), std::logic_error);
    pull.stopProducing();
    CHECK_THROWS_AS(pull.resumeProducing(), std::logic_error);
    CHECK(pull.violations().size() == 2);
}

TEST_CASE("StringTransport: while there is no room bytes are buffered, and a producer is held back") {
    StringTransport transport;
    StrictPushProducer producer;
    transport.setRoom(10);
    transport.registerProducer(producer);
    transport.write(std::string(100'000, 'x'));
    CHECK(producer.calls() == Calls{"pause"});
    CHECK(transport.bufferedBytes() == 99'990);
    CHECK(transport.value().size() == 10);
    transport.setRoom(1'000'000);
    CHECK(transport.value().size() == 100'000);
    CHECK(producer.calls() == Calls{"pause", "resume"});
    transport.unregisterProducer();
}

TEST_CASE("StringTransport: an abort discards what was not sent, and the peer sees a reset") {
    StringTransport transport;
    auto protocol = std::make_shared<Repeater>();
    transport.connect(protocol);
    transport.clear();
    transport.setRoom(0);
    transport.write("never");
    transport.abortConnection();
    CHECK(transport.aborted());
    CHECK(protocol->reason.check<ConnectionAborted>());
    CHECK(transport.value().empty());
    CHECK(transport.droppedBytes() == 5);
}

TEST_CASE("StringTransport: the peer's end and the peer's reset reach the protocol") {
    StringTransport ended;
    auto first = std::make_shared<Repeater>();
    ended.connect(first);
    ended.receiveEnd();
    CHECK(first->reason.check<ConnectionDone>());
    StringTransport broken;
    auto second = std::make_shared<Repeater>();
    broken.connect(second);
    broken.receiveReset();
    CHECK(second->reason.check<ConnectionLost>());
    CHECK_FALSE(second->reason.check<ConnectionDone>());
}

TEST_CASE("StringTransport: after loseWriteConnection the peer sees an end and may still send (S-53)") {
    StringTransport transport;
    auto protocol = std::make_shared<Repeater>();
    transport.connect(protocol);
    transport.loseWriteConnection();
    CHECK(transport.writeEnded());
    transport.receive("more");
    CHECK(protocol->received == "more");
    CHECK_FALSE(transport.disconnecting());
    transport.receiveEnd();
    CHECK(protocol->reason.check<ConnectionDone>());
}

TEST_CASE("StringTransport: switchProtocol gives the next protocol what the last one left") {
    class Switcher : public Protocol {
    public:
        std::shared_ptr<Repeater> next = std::make_shared<Repeater>();
        void dataReceived(std::string_view data) override { transport->switchProtocol(next, data.substr(1)); }
        void connectionLost(const Failure&) override { FAIL("a protocol that was replaced hears nothing"); }
    };
    StringTransport transport;
    auto first = std::make_shared<Switcher>();
    transport.connect(first);
    transport.receive("!rest");
    CHECK(first->next->received == "rest");
    CHECK(first->transport == &Transport::null());
    CHECK(transport.value() == "hello\nrest");
}

TEST_CASE("StringTransport: what guarded code throws drops the connection") {
    const test::LogCapture log;
    StringTransport transport;
    auto protocol = std::make_shared<Repeater>();
    transport.connect(protocol);
    transport.guarded([] { throw std::runtime_error("a bug in a timer"); });
    CHECK(transport.aborted());
    CHECK(protocol->reason.check<std::runtime_error>());
    CHECK(log.contains("a bug in a timer"));
}

TEST_CASE("StringTransport: delayed calls of a protocol are made when the test lets time pass") {
    StringTransport transport;
    auto protocol = std::make_shared<Repeater>();
    transport.connect(protocol);
    protocol->transport->reactor().callLater(5s, [&] { protocol->transport->write("time"); });
    transport.advance(4s);
    CHECK(transport.value() == "hello\n");
    transport.advance(1s);
    CHECK(transport.value() == "hello\ntime");
}

TEST_CASE("StringTransport: a lost connection keeps its addresses, and takes no producer (S-12, S-35)") {
    StringTransport transport;
    transport.abortConnection();
    transport.settle();
    StrictPushProducer producer;
    transport.registerProducer(producer);
    CHECK(producer.calls() == Calls{"stop"});
    CHECK(transport.producer() == nullptr);
    CHECK(transport.getPeer() == StringTransport::defaultPeer());
    CHECK(&transport.reactor() == &transport.memoryReactor());
    transport.write("late");
    CHECK(transport.value().empty());
}

TEST_CASE("StringTransport: a connection that is open when it is destroyed is lost, and told so") {
    auto protocol = std::make_shared<Repeater>();
    {
        StringTransport transport;
        transport.connect(protocol);
    }
    CHECK(protocol->lost == 1);
    CHECK(protocol->transport == &Transport::null());
}
