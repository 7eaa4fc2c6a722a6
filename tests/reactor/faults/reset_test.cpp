// The peer resets the connection, at every stage.

#include "support/hooked_protocol.hpp"
#include "support/kernel_buffers.hpp"
#include "support/link.hpp"
#include "support/log_capture.hpp"
#include "support/raw_socket.hpp"
#include "support/run_until.hpp"

#include <reactor/errors.hpp>
#include <reactor/libuv/uv_reactor.hpp>

#include <doctest/doctest.h>

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <string>

using namespace torsion;
using namespace torsion::test;

namespace {

/// A port with one protocol of the test's, and a raw peer for it.
struct Served {
    Served(Dispatch dispatch, HookedProtocol::Hooks hooks)
        : reactor(ReactorOptions{.dispatch = dispatch}), protocol(std::make_shared<HookedProtocol>(std::move(hooks))),
          record(protocol->record),
          port(reactor.listenTCP(0, HookedFactory::of(protocol),
                                 {.interface = "127.0.0.1", .configureSocket = limitKernelBuffers})),
          peer(RawSocket::unconnected()) {
        limitKernelBuffers(peer.fd());
        peer.connect(port->getHost().port());
    }

    bool untilMade() {
        return runUntil(reactor, [this] { return record->made != 0; });
    }

    /// Waits for the end, and says whether exactly one was told.
    void checkLost() {
        CHECK(runUntil(reactor, [this] { return record->lost != 0; }));
        runTurns(reactor, 3);
        CHECK(record->made == 1);
        CHECK(record->lost == 1);
        CHECK(record->late == 0);
        CHECK(reactor.stats().connections == 0);
        CHECK(port->isListening());
    }

    UvReactor reactor;
    std::shared_ptr<HookedProtocol> protocol;
    std::shared_ptr<Record> record;
    std::shared_ptr<ListeningPort> port;
    RawSocket peer;
};

} // namespace

TEST_CASE("S-36: a connection that was reset before it was accepted is made and lost, or never seen") {
    for (const Dispatch dispatch : kDispatches) {
        Served served(dispatch, {});
        served.peer.reset();
        RawSocket next = RawSocket::connectTo(served.port->getHost().port()); // still served: accepted, and refused
        CHECK(runUntil(served.reactor, [&] { return next.receive(), next.finished(); }));
        CHECK(runUntil(served.reactor, [&] { return served.reactor.stats().connections == 0; }));
        CHECK(served.record->made == served.record->lost);
        if (served.record->lost != 0)
            CHECK(served.record->reason.check<ConnectionLost>());
    }
}

TEST_CASE("S-36: a reset inside connectionMade is lost with its errno, and what is written there is dropped") {
    for (const Dispatch dispatch : kDispatches) {
        Served* itself = nullptr;
        Served served(dispatch, {.made = [&itself](HookedProtocol& protocol) {
                          itself->peer.reset();
                          protocol.transport->write("too late");
                          protocol.transport->write(std::string(100'000, 'x'));
                      }});
        itself = &served;
        served.checkLost();
        CHECK(served.record->reason.check<ConnectionLost>());
        const int code = served.record->reason.code();
        CHECK((code == ECONNRESET || code == EPIPE));
    }
}

TEST_CASE("S-36: a reset inside dataReceived is lost with its errno") {
    for (const Dispatch dispatch : kDispatches) {
        Served* itself = nullptr;
        Served served(dispatch, {.data = [&itself](HookedProtocol& protocol) {
                          itself->peer.reset();
                          protocol.transport->write("too late");
                      }});
        itself = &served;
        served.peer.send("ask");
        served.checkLost();
        CHECK(served.record->received == "ask");
        CHECK(served.record->reason.check<ConnectionLost>());
    }
}

TEST_CASE("S-36: a reset with data in flight in both directions is lost once, and the queue is freed") {
    for (const Dispatch dispatch : kDispatches) {
        Served served(dispatch, {});
        REQUIRE(served.untilMade());
        served.protocol->transport->write(std::string(kMoreThanKernelsKeep, 'x'));
        runTurns(served.reactor, 3);
        CHECK(served.reactor.stats().bufferedBytes > 0);
        served.peer.send("unread");
        served.peer.reset();
        served.checkLost();
        CHECK(served.record->reason.check<ConnectionLost>());
        CHECK(served.reactor.stats().bufferedBytes == 0);
    }
}

TEST_CASE("S-38: a reset while reading is paused is noticed") {
    for (const Dispatch dispatch : kDispatches) {
        Served served(dispatch, {.made = [](HookedProtocol& protocol) { protocol.transport->pauseProducing(); }});
        REQUIRE(served.untilMade());
        runTurns(served.reactor, 3);
        served.peer.reset();
        served.checkLost();
        CHECK(served.record->reason.check<ConnectionLost>());
        CHECK(served.record->reason.code() == ECONNRESET);
    }
}

TEST_CASE("S-38: an urgent byte to a connection whose reading is paused hides no reset") {
    for (const Dispatch dispatch : kDispatches) {
        Served served(dispatch, {.made = [](HookedProtocol& protocol) { protocol.transport->pauseProducing(); }});
        REQUIRE(served.untilMade());
        served.peer.send("unread"); // from now on only what is urgent or broken is watched for
        runTurns(served.reactor, 3);
        for (int i = 0; i < 2; ++i) {
            REQUIRE(::send(served.peer.fd(), "!", 1, MSG_OOB) == 1);
            runTurns(served.reactor, 3);
            CHECK(served.record->lost == 0);
            pollfd urgent{.fd = served.protocol->transport->as<TcpTransport>()->socketDescriptor(),
                          .events = POLLPRI,
                          .revents = 0};
            CHECK(::poll(&urgent, 1, 0) == 0); // it was taken, and wakes nobody again
        }
        served.peer.reset();
        served.checkLost();
        CHECK(served.record->reason.code() == ECONNRESET);
    }
}

TEST_CASE("an urgent byte is for nobody: what comes before and after it is delivered without it") {
    for (const Dispatch dispatch : kDispatches) {
        Served served(dispatch, {});
        REQUIRE(served.untilMade());
        served.protocol->transport->pauseProducing();
        served.peer.send("before ");
        REQUIRE(::send(served.peer.fd(), "!", 1, MSG_OOB) == 1);
        runTurns(served.reactor, 3);
        served.peer.send("after");
        served.protocol->transport->resumeProducing();
        CHECK(runUntil(served.reactor, [&] { return served.record->received == "before after"; }));
        CHECK(served.record->lost == 0);
    }
}

TEST_CASE("a reset while the connection closes ends it at once, with bytes left or without") {
    for (const Dispatch dispatch : kDispatches) {
        for (const std::size_t bytes : {std::size_t{0}, std::size_t{20'000'000}}) {
            CAPTURE(bytes);
            Served served(dispatch, {});
            REQUIRE(served.untilMade());
            served.protocol->transport->write(std::string(bytes, 'x'));
            served.protocol->transport->loseConnection();
            runTurns(served.reactor, 3);
            CHECK(served.record->lost == 0);
            served.peer.reset();
            served.checkLost();
            CHECK(served.record->reason.check<ConnectionLost>() == (bytes != 0));
            CHECK(served.reactor.stats().lingering == 0);
            CHECK(served.reactor.stats().bufferedBytes == 0);
        }
    }
}

TEST_CASE("a client whose server resets at once is made and lost, or fails: exactly one of both") {
    for (const Dispatch dispatch : kDispatches) {
        UvReactor reactor(ReactorOptions{.dispatch = dispatch});
        RawSocket listener = RawSocket::listen();
        const auto protocol = std::make_shared<HookedProtocol>();
        const auto factory = HookedFactory::of(protocol);
        reactor.connectTCP("127.0.0.1", listener.port(), factory);
        listener.accept().reset();
        CHECK(runUntil(reactor, [&] { return factory->losses + factory->failures != 0; }));
        runTurns(reactor, 3);
        CHECK(factory->losses + factory->failures == 1);
        CHECK(protocol->record->made == factory->losses);
        CHECK(protocol->record->lost == factory->losses);
        CHECK(factory->stopped == 1);
    }
}
