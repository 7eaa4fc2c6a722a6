// A stop in a host's loop that no dispatch has called: in what a program runs with guarded(), in startup triggers, in
// factories and producers, in onStopped itself.

#include "support/hooked_producer.hpp"
#include "support/hosted.hpp"
#include "support/log_capture.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

using namespace torsion;
using namespace torsion::test;

namespace {

using Names = std::vector<std::string>;

} // namespace

TEST_CASE("a stop() in a dialog of what the program runs guarded, with no dispatch beneath, goes on after that") {
    const LogCapture log;
    for (const EmbedOptions& options : kEmbeddings) {
        Hosted hosted(options);
        Names names;
        hosted.embedding().onStopped([&] { names.push_back("stopped"); });
        const HostedPair pair(hosted, {.lost = [&](HookedProtocol&) { names.push_back("lost"); }});
        hosted.reactor.start();
        hosted.settle();
        pair.server->transport->guarded([&] {
            hosted.reactor.stop();
            CHECK(hosted.settle() < 1000);
            CHECK(hosted.reactor.isRunning());
            names.push_back("returns");
        });
        CHECK(hosted.wakes());
        hosted.host.run();
        CHECK(names == Names{"returns", "lost", "stopped"});
    }
    CHECK_FALSE(log.contains("there is still open"));
}

TEST_CASE("a crash() in a dialog of what the program runs guarded is told to onStopped after that") {
    Hosted hosted;
    int stopped = 0;
    hosted.embedding().onStopped([&] { ++stopped; });
    const HostedPair pair(hosted);
    hosted.reactor.start();
    pair.server->transport->guarded([&] {
        hosted.reactor.crash();
        CHECK(hosted.settle() < 1000);
        CHECK(stopped == 0);
    });
    hosted.host.run();
    CHECK(stopped == 1);
    CHECK(pair.server->record->lost == 0);
}

TEST_CASE("a stop() in a dialog of startedConnecting, pauseProducing or startFactory goes on after that") {
    const LogCapture log;
    enum class Where { Connecting, Pausing, Starting };
    for (const Where where : {Where::Connecting, Where::Pausing, Where::Starting}) {
        Hosted hosted;
        int stopped = 0;
        hosted.embedding().onStopped([&] { ++stopped; });
        const HostedPair pair(hosted);
        HookedProducer producer;
        hosted.reactor.start();
        const auto stop = [&] {
            hosted.reactor.stop();
            CHECK(hosted.settle() < 1000);
            CHECK(stopped == 0);
        };
        const auto factory = HookedFactory::make(
            {.start = [&](HookedFactory&) { where == Where::Starting ? stop() : void(); },
             .connecting = [&](HookedFactory&, Connector&) { where == Where::Connecting ? stop() : void(); }});
        if (where == Where::Pausing) {
            producer.pause = stop;
            pair.server->transport->pauseProducing();
            pair.client->transport->registerProducer(producer);
            hosted.settle();
            pair.client->transport->write(std::string(16'000'000, 'x'));
        } else if (where == Where::Starting) {
            hosted.reactor.listenTCP(0, factory, {.interface = "127.0.0.1"});
        } else {
            hosted.reactor.connectTCP("127.0.0.1", pair.port->getHost().port(), factory);
        }
        hosted.host.run();
        CHECK(stopped == 1);
        CHECK(pair.client->record->lost == 1);
        CHECK(hosted.reactor.endpoints().empty());
    }
    CHECK_FALSE(log.contains("there is still open"));
}

TEST_CASE("a stop() or crash() in a dialog of a startup trigger goes on when start() has returned") {
    for (const bool crash : {false, true}) {
        Hosted hosted;
        Names names;
        hosted.embedding().onStopped([&] { names.push_back("stopped"); });
        hosted.reactor.callWhenRunning([&] {
            if (crash)
                hosted.reactor.crash();
            else
                hosted.reactor.stop();
            CHECK(hosted.settle() < 1000);
            names.push_back("first");
        });
        hosted.reactor.start();
        names.push_back("started");
        hosted.host.run();
        CHECK(names == Names{"first", "started", "stopped"});
    }
}

TEST_CASE("in a dialog of onStopped the reactor may start and stop: that is told when the dialog is over") {
    Hosted hosted;
    Names names;
    hosted.embedding().onStopped([&] {
        names.push_back("begins");
        if (names.size() == 1) {
            hosted.reactor.start();
            hosted.reactor.stop();
            hosted.host.run();
            CHECK_FALSE(hosted.reactor.isRunning());
        }
        names.push_back("ends");
    });
    hosted.reactor.start();
    hosted.reactor.stop();
    hosted.host.run();
    CHECK(names == Names{"begins", "ends", "begins", "ends"});
}

TEST_CASE("after a dialog in onStopped the reactor may be destroyed there, though another stop is still to be told") {
    auto hosted = std::make_unique<Hosted>();
    Embedding embedding = hosted->embedding();
    int stops = 0;
    embedding.onStopped([&] {
        ++stops;
        hosted->reactor.start();
        hosted->reactor.stop();
        hosted->settle();
        hosted.reset();
    });
    hosted->reactor.start();
    hosted->reactor.stop();
    for (int i = 0; i < 1000 && hosted; ++i)
        embedding.dispatch();
    CHECK(stops == 1);
    CHECK(embedding.dispatch() == Dispatched::Stopped);
}
