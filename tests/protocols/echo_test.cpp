#include <protocols/wire/discard.hpp>
#include <protocols/wire/echo.hpp>
#include <reactor/errors.hpp>
#include <reactor/testing/string_transport.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <limits>
#include <memory>
#include <string>

using namespace torsion;
using testing::ProducerState;
using testing::StringTransport;

namespace {

constexpr std::size_t kUnlimited = std::numeric_limits<std::size_t>::max();

} // namespace

TEST_CASE("Echo sends back what it receives, in order") {
    StringTransport transport;
    transport.connect(std::make_shared<Echo>());
    transport.receive("one, ");
    transport.receive("two");
    CHECK(transport.value() == "one, two");
    CHECK_FALSE(transport.disconnecting());
}

TEST_CASE("S-24: Echo stops reading while its peer does not read, and goes on when it does") {
    StringTransport transport;
    transport.connect(std::make_shared<Echo>());
    transport.setRoom(0);
    const std::string block(16 * 1024, 'x');
    std::size_t sent = 0;
    for (; sent < 16 && transport.producerState() == ProducerState::Producing; ++sent)
        transport.receive(block);
    CHECK(sent < 16);
    CHECK(transport.producerState() == ProducerState::Paused);
    CHECK(transport.bufferedBytes() <= WriteBufferLimits{}.high + block.size());

    transport.setRoom(kUnlimited); // the peer reads from now on
    CHECK(transport.producerState() == ProducerState::Producing);
    CHECK(transport.value().size() == sent * block.size());
}

TEST_CASE("Echo closes when its peer ends, after all was sent back") {
    StringTransport transport;
    transport.connect(std::make_shared<Echo>());
    transport.setRoom(0);
    transport.receive("the last words");
    transport.receiveEnd();
    CHECK(transport.disconnecting());
    CHECK(transport.isConnected());
    transport.setRoom(kUnlimited); // the peer reads from now on
    CHECK(transport.value() == "the last words");
    CHECK(transport.reason().check<ConnectionDone>());
}

TEST_CASE("Discard takes what it receives and says nothing") {
    StringTransport transport;
    transport.connect(std::make_shared<Discard>());
    transport.receive("anything");
    CHECK(transport.value().empty());
    CHECK(transport.isConnected());
}
