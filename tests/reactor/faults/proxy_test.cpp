// A proxy is two connections as each other's producers (S-26). Either of them dies in every callback.

#include "support/hooked_protocol.hpp"
#include "support/link.hpp"
#include "support/log_capture.hpp"
#include "support/raw_socket.hpp"
#include "support/run_until.hpp"

#include <reactor/errors.hpp>
#include <reactor/libuv/uv_reactor.hpp>

#include <doctest/doctest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

using namespace torsion;
using namespace torsion::test;

namespace {

class Side;

/// Joins a connection of a raw peer with one to a raw backend.
struct Proxy {
    explicit Proxy(Dispatch dispatch) : reactor(ReactorOptions{.dispatch = dispatch}) {}

    UvReactor reactor;
    std::shared_ptr<Side> front;
    std::shared_ptr<Side> back;
    int alive = 0;
    int lost = 0;
    int made = 0;
    bool joined = false;
};

enum class Place { None, Made, Data, ReadLost, Lost };
enum class Death { Loses, Aborts, Throws, AbortsOther, LosesBoth };

/// One side: what it receives it writes to the other one; with it goes the other.
class Side : public Protocol {
public:
    Side(Proxy& proxy, bool isFront) : proxy_(proxy), isFront_(isFront) { ++proxy_.alive; }
    ~Side() override { --proxy_.alive; }

    void connectionMade() override {
        ++proxy_.made;
        if (isFront_) {
            transport->pauseProducing(); // until there is where to write
        } else if (Side* theOther = other()) {
            proxy_.joined = true;
            transport->registerProducer(*theOther->transport);
            theOther->transport->registerProducer(*transport);
            theOther->transport->resumeProducing();
        }
        dieAt(Place::Made);
    }
    void dataReceived(std::string_view data) override {
        if (Side* theOther = other())
            theOther->transport->write(data);
        dieAt(Place::Data);
    }
    void readConnectionLost() override {
        dieAt(Place::ReadLost);
        Protocol::readConnectionLost();
    }
    void connectionLost(const Failure&) override {
        ++proxy_.lost;
        if (Side* theOther = other()) {
            theOther->transport->unregisterProducer();
            theOther->transport->loseConnection();
        }
        std::exchange(isFront_ ? proxy_.front : proxy_.back, nullptr);
        dieAt(Place::Lost);
    }

    Place place = Place::None;
    Death death = Death::Loses;
    int died = 0;

private:
    Side* other() const { return isFront_ ? proxy_.back.get() : proxy_.front.get(); }

    void dieAt(Place here) {
        if (here != place || died++ != 0)
            return;
        switch (death) {
        case Death::Loses:
            return transport->loseConnection();
        case Death::Aborts:
            return transport->abortConnection();
        case Death::Throws:
            throw std::runtime_error("thrown by the test");
        case Death::AbortsOther:
            if (Side* theOther = other())
                theOther->transport->abortConnection();
            return;
        case Death::LosesBoth:
            if (Side* theOther = other())
                theOther->transport->loseConnection();
            return transport->loseConnection();
        }
    }

    Proxy& proxy_;
    bool isFront_;
};

/// Raw peers push through the proxy until it is gone.
void runProxy(Dispatch dispatch, bool frontDies, Place place, Death death) {
    Proxy proxy(dispatch);
    proxy.front = std::make_shared<Side>(proxy, true);
    proxy.back = std::make_shared<Side>(proxy, false);
    Side& dying = frontDies ? *proxy.front : *proxy.back;
    dying.place = place;
    dying.death = death;
    RawSocket backend = RawSocket::listen();
    const auto frontFactory = HookedFactory::of(proxy.front);
    const auto backFactory = HookedFactory::of(proxy.back);
    const auto port =
        proxy.reactor.listenTCP(0, frontFactory, {.interface = "127.0.0.1", .configureSocket = useSmallBuffers});
    RawSocket client = RawSocket::connectTo(port->getHost().port());
    CHECK(runUntil(proxy.reactor, [&] { return frontFactory->built != 0; }));
    proxy.reactor.connectTCP("127.0.0.1", backend.port(), backFactory, {.configureSocket = useSmallBuffers});
    RawSocket server = backend.accept();
    CHECK(runUntil(proxy.reactor, [&] { return proxy.made == 2; }));
    const std::string much(400'000, 'x'); // more than the buffers: both directions are paused
    for (int i = 0; i < 20; ++i) {
        client.send(much);
        server.send(much);
        proxy.reactor.iterate();
    }
    client.shutdownWrite();
    server.shutdownWrite();
    CHECK(runUntil(proxy.reactor, [&] {
        static_cast<void>(client.receive());
        static_cast<void>(server.receive());
        if (client.finished())
            client.close();
        if (server.finished())
            server.close();
        return proxy.lost == 2;
    }));
    CHECK(proxy.reactor.stats().bufferedBytes == 0);
    CHECK(proxy.reactor.stats().connections == 0);
    CHECK(backFactory->losses == 1);
    CHECK(proxy.alive == 0);
}

} // namespace

TEST_CASE("S-26: either side of a proxy dies in every callback, and both are lost once and freed") {
    LogCapture quiet;
    for (const Dispatch dispatch : kDispatches) {
        for (const Place place : {Place::None, Place::Made, Place::Data, Place::ReadLost, Place::Lost}) {
            for (const Death death :
                 {Death::Loses, Death::Aborts, Death::Throws, Death::AbortsOther, Death::LosesBoth}) {
                for (const bool frontDies : {true, false}) {
                    CAPTURE(static_cast<int>(place));
                    CAPTURE(static_cast<int>(death));
                    CAPTURE(frontDies);
                    runProxy(dispatch, frontDies, place, death);
                }
            }
        }
    }
}
