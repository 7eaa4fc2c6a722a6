// An embedded reactor: what its host is told, and how it starts and ends.

#include "support/child.hpp"
#include "support/host_loop.hpp"
#include "support/hosted.hpp"
#include "support/log_capture.hpp"

#include <reactor/errors.hpp>

#include <doctest/doctest.h>

#include <fcntl.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using namespace torsion;
using namespace torsion::test;

namespace {

using Names = std::vector<std::string>;

} // namespace

TEST_CASE("a host carries an echo") {
    for (const EmbedOptions& options : kEmbeddings) {
        Hosted hosted(options);
        const HostedPair pair(hosted, echoing());
        pair.client->transport->write("hello");
        CHECK(hosted.until([&] { return pair.client->record->received == "hello"; }));
    }
}

TEST_CASE("timeout(): none when nothing is to come, 0 when something is to be done, else until the next call") {
    Hosted hosted;
    hosted.settle();
    CHECK_FALSE(hosted.embedding().timeout().has_value());
    DelayedCall call = hosted.reactor.callLater(50ms, [] {});
    CHECK(hosted.embedding().timeout().value() > 0ms);
    CHECK(hosted.embedding().timeout().value() <= 50ms);
    call.reset(0ms);
    CHECK(hosted.embedding().timeout() == 0ms);
    call.cancel();
    CHECK_FALSE(hosted.embedding().timeout().has_value());
    hosted.reactor.callLater(24h * 365 * 100, [] {});
    CHECK(hosted.embedding().timeout() == std::chrono::milliseconds(0x7fffffff));
}

TEST_CASE("timeout() is rounded up: a host that has waited as long finds the call due") {
    for (const EmbedOptions& options : kEmbeddings) {
        Hosted hosted(options);
        for (const auto delay : {1us, 999us, 1001us, 2500us}) {
            bool called = false;
            hosted.reactor.callLater(delay, [&] { called = true; });
            hosted.host.turn();
            CHECK(called);
        }
    }
}

TEST_CASE("in single-descriptor mode timeout() is none, and the descriptor tells of calls and of work") {
    Hosted hosted({.singleDescriptor = true});
    hosted.settle();
    CHECK_FALSE(hosted.isReadable());
    int calls = 0;
    hosted.reactor.callLater(0ms, [&] { ++calls; });
    CHECK_FALSE(hosted.embedding().timeout().has_value());
    CHECK(hosted.isReadable());
    hosted.embedding().dispatch();
    CHECK(calls == 1);
    hosted.settle();
    CHECK_FALSE(hosted.isReadable());
    DelayedCall late = hosted.reactor.callLater(1h, [] {});
    CHECK_FALSE(hosted.isReadable());
    hosted.reactor.callLater(1ms, [&] { ++calls; });
    while (calls == 1)
        hosted.host.turn();
    late.reset(0ms);
    CHECK(hosted.isReadable());
}

TEST_CASE("run() and iterate() are refused on an embedded reactor, with a word about who drives it") {
    Hosted hosted;
    CHECK_THROWS_WITH_AS(hosted.reactor.run(), doctest::Contains("host's loop drives it"), std::logic_error);
    CHECK_THROWS_AS(hosted.reactor.iterate(), std::logic_error);
    CHECK_FALSE(hosted.reactor.isRunning());
}

TEST_CASE("start() belongs to loops that others run, and embed() to a reactor of its own that does not run") {
    UvReactor own;
    CHECK_THROWS_AS(own.start(), std::logic_error);
    CHECK_THROWS_AS(own.embed({.budget = -1us}), std::invalid_argument);
    own.callWhenRunning([&] {
        CHECK_THROWS_AS(own.embed(), std::logic_error);
        own.stop();
    });
    own.run();
    const Embedding embedding = own.embed();
    CHECK_THROWS_AS(own.embed(), std::logic_error);
    HostLoop loop;
    UvReactor foreign(loop.get());
    CHECK_THROWS_AS(foreign.embed(), std::logic_error);
}

TEST_CASE("a reactor has one host: a second one that wants to be told is refused") {
    UvReactor reactor;
    Embedding embedding = reactor.embed();
    embedding.onChange([] {});
    CHECK_THROWS_AS(embedding.onChange([] {}), std::logic_error);
    embedding.onChange(nullptr);
    embedding.onChange([] {});
    embedding.onGone([] {});
    CHECK_THROWS_AS(embedding.onGone([] {}), std::logic_error);
}

TEST_CASE("start() runs the startup triggers; stop() ends in a later dispatch; both any number of times") {
    for (const EmbedOptions& options : kEmbeddings) {
        Hosted hosted(options);
        Reactor& reactor = hosted.reactor;
        Names names;
        hosted.embedding().onStopped([&] { names.push_back("stopped"); });
        for (int round = 0; round < 3; ++round) {
            names.clear();
            reactor.callWhenRunning([&] { names.push_back(reactor.isRunning() ? "running" : "too early"); });
            reactor.addSystemEventTrigger(EventPhase::During, SystemEvent::Shutdown, [&] { names.push_back("ends"); });
            const auto port = reactor.listenTCP(0, HookedFactory::make(), {.interface = "127.0.0.1"});
            CHECK_THROWS_AS(reactor.stop(), ReactorNotRunning);
            hosted.reactor.start();
            CHECK_THROWS_AS(hosted.reactor.start(), ReactorAlreadyRunning);
            CHECK_THROWS_AS(hosted.reactor.run(), ReactorAlreadyRunning);
            CHECK(names == Names{"running"});
            reactor.stop();
            CHECK(reactor.isRunning());
            CHECK(port->isListening());
            hosted.host.run();
            CHECK(names == Names{"running", "ends", "stopped"});
            CHECK_FALSE(reactor.isRunning());
            CHECK_FALSE(port->isListening());
            reactor.callLater(0ms, [&] { names.push_back("served"); });
            hosted.settle();
            CHECK(names.back() == "served");
        }
    }
}

TEST_CASE("H18: connections are lost and factories stopped before onStopped is called") {
    Hosted hosted;
    Names names;
    const auto server = std::make_shared<HookedProtocol>();
    const auto client =
        std::make_shared<HookedProtocol>(ProtocolHooks{.lost = [&](HookedProtocol&) { names.push_back("lost"); }});
    const auto factory = HookedFactory::make(
        {.build = [&] { return server; }, .stop = [&](HookedFactory&) { names.push_back("factory stopped"); }});
    const auto port = hosted.reactor.listenTCP(0, factory, {.interface = "127.0.0.1"});
    hosted.reactor.connectTCP("127.0.0.1", port->getHost().port(), HookedFactory::of(client));
    hosted.embedding().onStopped([&] { names.push_back("stopped"); });
    hosted.reactor.start();
    REQUIRE(hosted.until([&] { return server->record->made != 0 && client->record->made != 0; }));
    hosted.reactor.stop();
    hosted.host.run();
    CHECK(names == Names{"factory stopped", "lost", "stopped"});
}

TEST_CASE("crash() ends without triggers and closes nothing, and is told to onStopped") {
    Hosted hosted;
    bool stopped = false;
    hosted.embedding().onStopped([&] { stopped = true; });
    const HostedPair pair(hosted, echoing());
    hosted.reactor.start();
    hosted.reactor.crash();
    CHECK_FALSE(stopped);
    CHECK(hosted.until([&] { return stopped; }));
    pair.client->transport->write("still there");
    CHECK(hosted.until([&] { return pair.client->record->received == "still there"; }));
    hosted.reactor.start();
    hosted.reactor.stop();
    hosted.host.run();
    CHECK(pair.client->record->lost == 1);
}

TEST_CASE("start() may be called in onStopped, and the reactor may be destroyed there") {
    auto hosted = std::make_unique<Hosted>();
    Embedding embedding = hosted->embedding();
    auto* reactor = &hosted->reactor;
    int stops = 0;
    embedding.onStopped([&] {
        if (++stops == 2)
            return hosted.reset();
        hosted->reactor.start();
        hosted->reactor.stop();
    });
    reactor->start();
    reactor->stop();
    for (int i = 0; i < 1000 && hosted; ++i)
        embedding.dispatch();
    CHECK(stops == 2);
    CHECK(embedding.dispatch() == Dispatched::Stopped);
}

TEST_CASE("an Embedding that is kept longer than its reactor does nothing") {
    for (const EmbedOptions& options : kEmbeddings) {
        auto reactor = std::make_unique<UvReactor>();
        Embedding embedding = reactor->embed(options);
        bool wasOpen = false;
        embedding.onChange([] {});
        embedding.onGone([&] { wasOpen = ::fcntl(embedding.fd(), F_GETFD) >= 0; });
        reactor.reset();
        CHECK(wasOpen);
        CHECK(embedding.fd() == -1);
        CHECK(embedding.reactor() == nullptr);
        CHECK_FALSE(embedding.timeout().has_value());
        CHECK(embedding.dispatch() == Dispatched::Stopped);
        embedding.onChange(nullptr);
        embedding.onStopped([] {});
        embedding.afterFork();
    }
}

TEST_CASE("the last handle of an embedding may go inside a dispatch") {
    UvReactor reactor;
    std::optional<Embedding> embedding(reactor.embed());
    bool called = false;
    reactor.callLater(0ms, [&] {
        embedding.reset();
        called = true;
    });
    const Dispatched outcome = embedding->dispatch();
    CHECK(outcome == Dispatched::Idle);
    CHECK(called);
}

TEST_CASE("a host that never calls back gets nothing done, and everything ends with the reactor") {
    for (const EmbedOptions& options : kEmbeddings) {
        const auto server = HookedFactory::make();
        const auto client = HookedFactory::make();
        {
            Hosted hosted(options);
            hosted.embedding().onStopped([] { FAIL("stopped without a dispatch"); });
            hosted.reactor.start();
            const auto port = hosted.reactor.listenTCP(0, server, {.interface = "127.0.0.1"});
            hosted.reactor.connectTCP("127.0.0.1", port->getHost().port(), client);
            hosted.reactor.callLater(0ms, [] { FAIL("called without a dispatch"); });
            hosted.reactor.callFromThread([] { FAIL("called without a dispatch"); });
            hosted.reactor.stop();
        }
        CHECK(client->failures == 1);
        CHECK(client->stopped == 1);
        CHECK(server->stopped == 1);
        CHECK(server->built == 0);
    }
}

TEST_CASE("a host may be destroyed inside its own turn, and another take its place") {
    for (const bool inRun : {false, true}) {
        UvReactor reactor;
        Embedding embedding = reactor.embed();
        auto host = std::make_unique<PollHost>(embedding);
        reactor.callLater(0ms, [&] { host.reset(); });
        if (inRun)
            host->run();
        for (int i = 0; i < 10 && host; ++i)
            host->turn();
        CHECK(host == nullptr);
        bool called = false;
        reactor.callLater(0ms, [&] { called = true; });
        PollHost other(embedding);
        other.turn();
        CHECK(called);
    }
}

TEST_CASE("a reactor that is destroyed inside a dispatch ends the program with a message") {
    for (const bool nested : {false, true}) {
        const ChildEnd end = runInChild([nested] {
            auto hosted = std::make_unique<Hosted>();
            hosted->reactor.callLater(0ms, [&] {
                if (nested)
                    hosted->settle();
                hosted.reset();
            });
            hosted->host.turn();
        });
        CHECK(end.wasAborted());
        CHECK(end.said.find("destroyed inside one of its own callbacks") != std::string::npos);
    }
}

TEST_CASE("what user code throws is logged, and does not come out of a dispatch") {
    const LogCapture log;
    Hosted hosted;
    const HostedPair pair(hosted, {.data = [](HookedProtocol&) { throw std::runtime_error("a bug"); }});
    hosted.embedding().onChange([] { throw std::runtime_error("a bug of the host's"); });
    hosted.settle();
    hosted.reactor.callLater(0ms, [] { throw std::runtime_error("a bug"); });
    pair.client->transport->write("x");
    CHECK(hosted.until([&] { return pair.server->record->lost == 1; }));
    CHECK(log.count("a bug of the host's") >= 1);
}

TEST_CASE("a call from another thread wakes the host, without a word to onChange") {
    for (const EmbedOptions& options : kEmbeddings) {
        Hosted hosted(options);
        hosted.settle();
        int changes = 0;
        hosted.embedding().onChange([&] { ++changes; });
        bool called = false;
        std::thread([&, remote = hosted.reactor.remote()] { remote.post([&] { called = true; }); }).join();
        CHECK(changes == 0);
        CHECK(hosted.isReadable());
        hosted.embedding().dispatch();
        CHECK(called);
    }
}

TEST_CASE(
    "dispatches() counts the calls of dispatch(): refused ones, those inside of others, and those after the end") {
    std::optional<Hosted> hosted(std::in_place);
    Embedding embedding = hosted->embedding();
    CHECK(embedding.dispatches() == 0);
    hosted->reactor.callLater(0ms, [&] { embedding.dispatch(); });
    embedding.dispatch();
    CHECK(embedding.dispatches() == 2);
    const auto settled = static_cast<std::uint64_t>(hosted->settle());
    CHECK(embedding.dispatches() == 2 + settled);
    embedding.timeout();
    CHECK(embedding.dispatches() == 2 + settled); // asking is none
    embedding.onChange([&] { CHECK(embedding.dispatch() == Dispatched::Busy); });
    hosted->reactor.callLater(0ms, [] {});
    CHECK(embedding.dispatches() == 3 + settled);
    hosted.reset();
    CHECK(embedding.dispatch() == Dispatched::Stopped);
    CHECK(embedding.dispatches() == 4 + settled);
}
