// Whatever is begun outside of a dispatch must be seen by a host that sleeps: every public function that changes
// something, called from a host's code. tests/tree/mutators_test.py compares this list with the headers.

#include "reactor/embedding/mutators_bench.hpp"
#include "support/hosted.hpp"
#include "support/scripted_reactor.hpp"

#include <reactor/idle_timeout.hpp>
#include <reactor/libuv/line_input.hpp>
#include <reactor/looping_call.hpp>
#include <reactor/producer.hpp>
#include <reactor/testing/script_resolver.hpp>

#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

using namespace std::chrono_literals;
using namespace torsion;
using namespace torsion::test;

namespace {

const Mutator kMutators[] = {
    {"Clock::callLater", Told::Work, [](Bench& b) { return [&b] { b.reactor().callLater(0s, kNothing); }; }},
    {"Clock::sleep", Told::Work, [](Bench& b) { return [&b] { b.reactor().sleep(0s).detach(); }; }},

    {"DelayedCall::cancel", Told::Deadline,
     [](Bench& b) { return [call = b.reactor().callLater(1h, kNothing)]() mutable { call.cancel(); }; }},
    {"DelayedCall::reset", Told::Work,
     [](Bench& b) { return [call = b.reactor().callLater(1h, kNothing)]() mutable { call.reset(0s); }; }},
    {"DelayedCall::delay", Told::Work,
     [](Bench& b) { return [call = b.reactor().callLater(1h, kNothing)]() mutable { call.delay(-2h); }; }},
    {"ScopedCall::cancel", Told::Deadline,
     [](Bench& b) { return [&call = keep<ScopedCall>(b, b.reactor().callLater(1h, kNothing))] { call.cancel(); }; }},
    {"ScopedCall::release", Told::Nothing,
     [](Bench& b) { return [&call = keep<ScopedCall>(b, b.reactor().callLater(1h, kNothing))] { call.release(); }; }},
    {"ScopedCall::call", Told::Work,
     [](Bench& b) {
         return [&call = keep<ScopedCall>(b, b.reactor().callLater(1h, kNothing))] { call.call().reset(0s); };
     }},

    {"LoopingCall::start", Told::Deadline,
     [](Bench& b) { return [&loop = keep<LoopingCall>(b, b.reactor(), kNothing)] { loop.start(1h).detach(); }; }},
    {"LoopingCall::stop", Told::Deadline,
     [](Bench& b) {
         auto& loop = keep<LoopingCall>(b, b.reactor(), kNothing);
         loop.start(1h).detach();
         return [&loop] { loop.stop(); };
     }},
    {"LoopingCall::reset", Told::Deadline,
     [](Bench& b) {
         auto& loop = keep<LoopingCall>(b, b.reactor(), kNothing);
         loop.start(1h).detach();
         return [&loop] { loop.reset(); };
     }},
    {"IdleTimeout::set", Told::Work,
     [](Bench& b) { return [&idle = keep<IdleTimeout>(b, b.reactor(), kNothing)] { idle.set(Duration(1)); }; }},
    {"IdleTimeout::touch", Told::Nothing,
     [](Bench& b) {
         auto& idle = keep<IdleTimeout>(b, b.reactor(), kNothing);
         idle.set(1h);
         return [&idle] { idle.touch(); };
     }},

    {"Reactor::run", Told::Nothing, [](Bench& b) { return [&b] { CHECK_THROWS(b.reactor().run()); }; }},
    {"Reactor::iterate", Told::Nothing, [](Bench& b) { return [&b] { CHECK_THROWS(b.reactor().iterate()); }; }},
    {"Reactor::stop", Told::Work,
     [](Bench& b) {
         b.reactor().start();
         return [&b] { b.reactor().stop(); };
     }},
    {"Reactor::crash", Told::Work,
     [](Bench& b) {
         b.reactor().start();
         return [&b] { b.reactor().crash(); };
     }},
    {"Reactor::callWhenRunning", Told::Work,
     [](Bench& b) {
         b.reactor().start();
         return [&b] { b.reactor().callWhenRunning(kNothing); };
     }},
    {"Reactor::addSystemEventTrigger", Told::Nothing,
     [](Bench& b) {
         return [&b] { b.reactor().addSystemEventTrigger(EventPhase::During, SystemEvent::Shutdown, kNothing); };
     }},
    {"Reactor::removeSystemEventTrigger", Told::Nothing,
     [](Bench& b) {
         b.trigger = b.reactor().addSystemEventTrigger(EventPhase::During, SystemEvent::Shutdown, kNothing);
         return [&b] { b.reactor().removeSystemEventTrigger(b.trigger); };
     }},
    {"Reactor::callFromThread", Told::Descriptor,
     [](Bench& b) { return [&b] { b.reactor().callFromThread(kNothing); }; }},
    {"Reactor::callInThread", Told::Descriptor, [](Bench& b) { return [&b] { b.reactor().callInThread(kNothing); }; }},
    {"Reactor::getThreadPool", Told::Descriptor,
     [](Bench& b) { return [&b] { b.reactor().getThreadPool().callInThread(kNothing); }; }},
    {"Reactor::keepPending", Told::Nothing,
     [](Bench& b) { return [&b] { b.pending = b.reactor().keepPending(kNothing); }; }},
    {"PendingOperation::end", Told::Nothing,
     [](Bench& b) {
         b.pending = b.reactor().keepPending(kNothing);
         return [&b] { b.pending.end(); };
     }},
    {"Remote::post", Told::Descriptor, [](Bench& b) { return [&b] { b.reactor().remote().post(kNothing); }; }},
    {"Reactor::listenTCP", Told::Work,
     [](Bench& b) { return [&b] { b.reactor().listenTCP(0, HookedFactory::make(), {.interface = "127.0.0.1"}); }; }},
    {"Reactor::connectTCP", Told::Work,
     [](Bench& b) {
         return [&b] { b.reactor().connectTCP("127.0.0.1", b.pair.port->getHost().port(), HookedFactory::make()); };
     }},
    {"Reactor::resolver", Told::Nothing, [](Bench& b) { return [&b] { b.reactor().resolver(); }; }},
    {"Reactor::setResolver", Told::Nothing,
     [](Bench& b) {
         return [&b] { b.reactor().setResolver(std::make_unique<testing::ScriptResolver>(b.reactor())); };
     }},
    {"Reactor::random", Told::Nothing, [](Bench& b) { return [&b] { b.reactor().random().next(); }; }},
    {"Reactor::secureRandom", Told::Nothing, [](Bench& b) { return [&b] { b.reactor().secureRandom().next(); }; }},
    {"Reactor::setLimits", Told::Nothing, [](Bench& b) { return [&b] { b.reactor().setLimits({}); }; }},
    {"Reactor::setSlowTurn", Told::Nothing, [](Bench& b) { return [&b] { b.reactor().setSlowTurn(1s); }; }},

    {"UvReactor::embed", Told::Nothing, [](Bench& b) { return [&b] { CHECK_THROWS(b.reactor().embed()); }; }},
    {"UvReactor::start", Told::Work, [](Bench& b) { return [&b] { b.reactor().start(); }; }},
    {"UvReactor::onStopped", Told::Nothing, [](Bench& b) { return [&b] { b.reactor().onStopped(kNothing); }; }},
    {"UvReactor::context", Told::Nothing, [](Bench& b) { return [&b] { b.reactor().context(); }; }},

    {"Transport::write", Told::Work, [](Bench& b) { return [&b] { b.transport().write("x"); }; }},
    {"Transport::writeSequence", Told::Work,
     [](Bench& b) {
         return [&b] {
             const std::string_view pieces[] = {"x", "y"};
             b.transport().writeSequence(pieces);
         };
     }},
    {"Transport::flush", Told::Work,
     [](Bench& b) {
         b.pair.server->transport->pauseProducing();
         return [&b] {
             b.transport().write(std::string(16'000'000, 'x'));
             b.transport().flush();
         };
     }},
    {"Transport::loseConnection", Told::Work, onTransport(&Transport::loseConnection)},
    {"Transport::abortConnection", Told::Work, onTransport(&Transport::abortConnection)},
    {"Transport::loseWriteConnection", Told::Work, onTransport(&Transport::loseWriteConnection)},
    {"Transport::registerProducer", Told::Work,
     [](Bench& b) { return [&b] { b.transport().registerProducer(b.push); }; }},
    {"Transport::unregisterProducer", Told::Work,
     [](Bench& b) {
         b.transport().registerProducer(b.push);
         return [&b] { b.transport().unregisterProducer(); };
     }},
    {"Transport::pauseProducing", Told::Nothing, onTransport(&Transport::pauseProducing)},
    {"Transport::resumeProducing", Told::Work,
     [](Bench& b) {
         b.transport().pauseProducing();
         b.pair.server->transport->write("waits");
         return [&b] { b.transport().resumeProducing(); };
     }},
    {"Transport::stopProducing", Told::Work, onTransport(&Transport::stopProducing)},
    {"Transport::drained", Told::Nothing,
     [](Bench& b) {
         b.pair.server->transport->pauseProducing();
         b.transport().write(std::string(16'000'000, 'x'));
         return [&b] { b.transport().drained().addErrback([](const Failure&) {}).detach(); };
     }},
    {"Transport::setCloseLimits", Told::Nothing, [](Bench& b) { return [&b] { b.transport().setCloseLimits({}); }; }},
    {"Transport::setWriteBufferLimits", Told::Work,
     [](Bench& b) { return [&b] { b.transport().setWriteBufferLimits({}); }; }},
    {"Transport::guarded", Told::Work,
     [](Bench& b) { return [&b] { b.transport().guarded([&b] { b.transport().loseConnection(); }); }; }},
    {"Transport::switchProtocol", Told::Work,
     [](Bench& b) { return [&b] { b.transport().switchProtocol(std::make_shared<HookedProtocol>()); }; }},
    {"Transport::as", Told::Nothing, [](Bench& b) { return [&b] { b.transport().as<TcpTransport>(); }; }},
    {"TcpTransport::setTcpNoDelay", Told::Nothing,
     [](Bench& b) { return [&b] { b.transport().as<TcpTransport>()->setTcpNoDelay(false); }; }},
    {"TcpTransport::setTcpKeepAlive", Told::Nothing,
     [](Bench& b) { return [&b] { b.transport().as<TcpTransport>()->setTcpKeepAlive(KeepAlive{}); }; }},
    {"TcpTransport::setTcpUserTimeout", Told::Nothing,
     [](Bench& b) { return [&b] { b.transport().as<TcpTransport>()->setTcpUserTimeout(1s); }; }},

    {"ListeningPort::stopListening", Told::Work,
     [](Bench& b) { return [&b] { b.pair.port->stopListening().detach(); }; }},
    {"ListeningPort::startListening", Told::Work,
     [](Bench& b) {
         b.pair.port->stopListening().detach();
         return [&b] { b.pair.port->startListening(); };
     }},
    {"ListeningPort::pauseAccepting", Told::Deadline, [](Bench& b) { return [&b] { b.pair.port->pauseAccepting(); }; }},
    {"ListeningPort::holdAccepting", Told::Deadline,
     [](Bench& b) { return [&b] { static_cast<void>(b.pair.port->holdAccepting()); }; }},
    {"ListeningPort::resumeAccepting", Told::Work,
     [](Bench& b) {
         b.pair.port->pauseAccepting();
         return [&b] { b.pair.port->resumeAccepting(); };
     }},

    {"Connector::connect", Told::Work,
     [](Bench& b) {
         b.transport().abortConnection();
         return [&b] { b.pair.connector->connect(); };
     }},
    {"Connector::stopConnecting", Told::Work,
     [](Bench& b) {
         b.reactor().setResolver(std::make_unique<ScriptedResolver>()); // answers nothing
         return [connector = b.reactor().connectTCP("late.example", 9, HookedFactory::make())] {
             connector->stopConnecting();
         };
     }},
    {"Connector::disconnect", Told::Work, [](Bench& b) { return [&b] { b.pair.connector->disconnect(); }; }},

    {"InputReader::resumeReading", Told::Work,
     [](Bench& b) {
         return [&reader = keep<InputReader>(b, b.reactor(), b.input.ends[0], b.events)] { reader.resumeReading(); };
     }},
    {"InputReader::pauseReading", Told::Deadline,
     [](Bench& b) {
         auto& reader = keep<InputReader>(b, b.reactor(), b.input.ends[0], b.events);
         reader.resumeReading();
         return [&reader] { reader.pauseReading(); };
     }},
    {"LineInput::nextLine", Told::Work,
     [](Bench& b) {
         return
             [&lines = keep<LineInput>(b, b.reactor(), b.input.ends[0])] { lines.nextLine([](const InputLine&) {}); };
     }},
    {"LineInput::cancel", Told::Deadline,
     [](Bench& b) {
         auto& lines = keep<LineInput>(b, b.reactor(), b.input.ends[0]);
         lines.nextLine([](const InputLine&) {});
         return [&lines] { lines.cancel(); };
     }},
};

} // namespace

TEST_CASE("H2: whatever is begun outside of a dispatch is told to onChange, once until the host has asked") {
    for (const Mutator& mutator : kMutators)
        checkThatOnChangeIsTold(mutator);
}

TEST_CASE("H2: whatever is begun outside of a dispatch makes the descriptor readable where the host has that alone") {
    for (const Mutator& mutator : kMutators)
        checkThatDescriptorTells(mutator);
}

TEST_CASE("H2: inside of a dispatch nothing is told: the host asks after it") {
    Hosted hosted;
    int changes = 0;
    hosted.embedding().onChange([&] { ++changes; });
    const HostedPair pair(hosted, echoing());
    hosted.settle();
    changes = 0;
    hosted.reactor.callFromThread([&] {
        hosted.reactor.callLater(0ms, kNothing);
        pair.client->transport->write("x");
    });
    hosted.embedding().dispatch();
    CHECK(changes == 0);
    CHECK(hosted.wakes());
    hosted.settle();
    CHECK(changes == 0);
}

TEST_CASE("H2: in a host's loop inside of a callback the host is told again") {
    Hosted hosted;
    int changes = 0;
    hosted.embedding().onChange([&] { ++changes; });
    const HostedPair pair(hosted, echoing());
    bool done = false;
    hosted.reactor.callLater(0ms, [&] {
        changes = 0;
        pair.client->transport->write("x");
        CHECK(changes == 0);
        hosted.settle(); // the dialog's loop
        pair.client->transport->write("y");
        CHECK(changes == 1);
        CHECK(hosted.wakes());
        done = true;
    });
    CHECK(hosted.until([&] { return done; }));
}

TEST_CASE("onChange may ask for the time-out, and is told anew then; it may not dispatch") {
    Hosted hosted;
    hosted.settle();
    int changes = 0;
    hosted.embedding().onChange([&] {
        ++changes;
        CHECK(hosted.embedding().timeout() == 0ms);
        CHECK(hosted.embedding().dispatch() == Dispatched::Busy);
    });
    hosted.reactor.callLater(0ms, kNothing);
    CHECK(changes == 1);
    hosted.reactor.callLater(0ms, kNothing);
    CHECK(changes == 1); // no earlier than the first
    hosted.settle();
}

TEST_CASE("a host may go away while it is told of a change") {
    Hosted hosted;
    hosted.settle();
    auto count = std::make_shared<int>(0);
    hosted.embedding().onChange([&hosted, count] {
        hosted.embedding().onChange(nullptr);
        ++*count; // what this function holds is still there
    });
    hosted.reactor.callLater(0ms, kNothing);
    CHECK(*count == 1);
    CHECK(count.use_count() == 1);
    hosted.reactor.callLater(0ms, kNothing);
    CHECK(*count == 1);
}
