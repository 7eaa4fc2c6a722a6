#include <doctest/doctest.h>

#include <reactor/errors.hpp>
#include <reactor/producer.hpp>
#include <reactor/protocol.hpp>
#include <reactor/transport.hpp>

#include <array>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

using namespace torsion;

namespace {

struct RecordingPush final : PushProducer {
    int stopped = 0;
    int others = 0;
    void resumeProducing() override { ++others; }
    void pauseProducing() override { ++others; }
    void stopProducing() override { ++stopped; }
};

struct RecordingPull final : PullProducer {
    int stopped = 0;
    int others = 0;
    void resumeProducing() override { ++others; }
    void stopProducing() override { ++stopped; }
};

} // namespace

TEST_CASE("a protocol without a connection has the null transport") {
    const Protocol protocol;
    CHECK(protocol.transport == &Transport::null());
    CHECK(protocol.factory == nullptr);
}

TEST_CASE("S-4: whatever is written to the null transport is gone") {
    Transport& transport = Transport::null();
    transport.write("text");
    transport.write(std::string(100'000, 'x'));
    const std::array<std::string_view, 2> pieces{"a", "b"};
    transport.writeSequence(pieces);
    transport.flush();
    CHECK(transport.bufferedBytes() == 0);
}

TEST_CASE("the null transport is closed, reads nothing, and cannot be opened or closed") {
    Transport& transport = Transport::null();
    transport.resumeProducing();
    transport.pauseProducing();
    transport.loseConnection();
    transport.loseWriteConnection();
    transport.abortConnection();
    transport.abortConnection(Failure::of<ConnectionAborted>());
    transport.stopProducing();
    CHECK_FALSE(transport.isConnected());
    CHECK(transport.isDisconnecting());
    CHECK_FALSE(transport.isReading());
}

TEST_CASE("the null transport has no addresses, no views, and no reactor") {
    Transport& transport = Transport::null();
    CHECK(transport.getPeer().isNone());
    CHECK(transport.getHost().isNone());
    CHECK(transport.as<TcpTransport>() == nullptr);
    CHECK(transport.id() == 0);
    CHECK(transport.describe() == "(not connected)");
    CHECK_THROWS_AS(transport.reactor(), NotConnectedError);
}

TEST_CASE("S-12: a producer that registers with the null transport is stopped at once, and not kept") {
    RecordingPush push;
    RecordingPull pull;
    Transport::null().registerProducer(push);
    Transport::null().registerProducer(pull);
    CHECK(push.stopped == 1);
    CHECK(pull.stopped == 1);
    Transport::null().registerProducer(push); // no ProducerAlreadyRegistered
    CHECK(push.stopped == 2);
    Transport::null().unregisterProducer();
    CHECK(push.others + pull.others == 0);
}

TEST_CASE("guarded() on the null transport calls, and lets exceptions pass: there is nobody to drop") {
    bool called = false;
    Transport::null().guarded([&] { called = true; });
    CHECK(called);
    CHECK_THROWS_AS(Transport::null().guarded([] { throw std::runtime_error("a bug"); }), std::runtime_error);
}

TEST_CASE("switchProtocol on the null transport changes nothing") {
    const auto next = std::make_shared<Protocol>();
    Transport::null().switchProtocol(next, "unparsed");
    CHECK(next->transport == &Transport::null());
    CHECK(next.use_count() == 1);
}
