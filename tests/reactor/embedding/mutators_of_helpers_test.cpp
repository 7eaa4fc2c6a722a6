// As mutators_test.cpp, of what is built on the reactor: cooperators, streams, scopes, thread pools, reconnecting.

#include "reactor/embedding/mutators_bench.hpp"
#include "support/hosted.hpp"
#include "support/log_capture.hpp"
#include "support/raw_socket.hpp"

#include <reactor/caching_resolver.hpp>
#include <reactor/cooperator.hpp>
#include <reactor/reconnecting_client_factory.hpp>
#include <reactor/stream.hpp>
#include <reactor/task_scope.hpp>
#include <reactor/thread_pool.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

using namespace std::chrono_literals;
using namespace torsion;
using namespace torsion::test;

namespace {

/// A task that waits for an hour, of a cooperator of the case's.
struct Cooperating {
    explicit Cooperating(Bench& bench)
        : cooperator(bench.reactor()),
          task(cooperator.cooperate([&bench] { return Step(bench.reactor().sleep(1h)); })) {
        bench.hosted.settle();
    }

    Cooperator cooperator;
    CooperativeTask task;
};

std::function<Act(Bench&)> onTask(void (*act)(Cooperating&)) {
    return [act](Bench& b) { return [act, &cooperating = keep<Cooperating>(b, b)] { act(cooperating); }; };
}

/// A stream to a peer that says nothing.
struct Streaming {
    explicit Streaming(Bench& bench) : port(listenOn(bench)) {
        connectStream(bench.reactor(), "127.0.0.1", port->getHost().port())
            .addCallback([this](Stream made) { stream.emplace(std::move(made)); })
            .detach();
        REQUIRE(bench.hosted.until([this] { return stream.has_value(); }));
    }
    static std::shared_ptr<ListeningPort> listenOn(Bench& bench) {
        return bench.reactor().listenTCP(0, HookedFactory::make(), {.interface = "127.0.0.1"});
    }

    std::shared_ptr<ListeningPort> port;
    std::optional<Stream> stream;
};

std::function<Act(Bench&)> onStream(void (*act)(Stream&)) {
    return [act](Bench& b) { return [act, &streaming = keep<Streaming>(b, b)] { act(*streaming.stream); }; };
}

/// A factory whose connection was refused, and that waits for an hour.
struct Reconnecting {
    explicit Reconnecting(Bench& bench)
        : factory(ReconnectingClientFactory::forProtocol<Protocol>()), refusing(RawSocket::bound()) {
        factory->noisy = false;
        factory->initialDelay = 1h;
        bench.reactor().connectTCP("127.0.0.1", refusing.port(), factory);
        REQUIRE(bench.hosted.until([this] { return factory->retries() == 1; }));
    }
    ~Reconnecting() { factory->stopTrying(); }
    Reconnecting(const Reconnecting&) = delete;
    Reconnecting& operator=(const Reconnecting&) = delete;

    std::shared_ptr<ReconnectingClientFactory> factory;
    RawSocket refusing;
};

std::function<Act(Bench&)> onReconnecting(void (*act)(ReconnectingClientFactory&)) {
    return [act](Bench& b) { return [act, &kept = keep<Reconnecting>(b, b)] { act(*kept.factory); }; };
}

const Mutator kMutators[] = {
    {"Cooperator::cooperate", Told::Work,
     [](Bench& b) {
         return [&kept = keep<Cooperator>(b, b.reactor())] { kept.cooperate([] { return Step::done(); }); };
     }},
    {"Cooperator::coiterate", Told::Work,
     [](Bench& b) {
         return [&kept = keep<Cooperator>(b, b.reactor())] { kept.coiterate([] { return Step::done(); }).detach(); };
     }},
    {"Cooperator::stop", Told::Deadline, onTask([](Cooperating& c) { c.cooperator.stop(); })},
    {"CooperativeTask::pause", Told::Nothing, onTask([](Cooperating& c) { c.task.pause(); })},
    {"CooperativeTask::resume", Told::Work,
     [](Bench& b) {
         auto& cooperator = keep<Cooperator>(b, b.reactor());
         CooperativeTask task = cooperator.cooperate([] { return Step::done(); });
         task.pause();
         return [task]() mutable { task.resume(); };
     }},
    {"CooperativeTask::stop", Told::Deadline, onTask([](Cooperating& c) { c.task.stop(); })},
    {"CooperativeTask::whenDone", Told::Nothing, onTask([](Cooperating& c) { c.task.whenDone().detach(); })},

    {"Stream::readUntil", Told::Nothing, onStream([](Stream& s) { s.readUntil("\n").detach(); })},
    {"Stream::readExactly", Told::Nothing, onStream([](Stream& s) { s.readExactly(1).detach(); })},
    {"Stream::readSome", Told::Nothing, onStream([](Stream& s) { s.readSome().detach(); })},
    {"Stream::readAll", Told::Nothing, onStream([](Stream& s) { s.readAll(1).detach(); })},
    {"Stream::write", Told::Work, onStream([](Stream& s) { s.write("x").detach(); })},
    {"Stream::writeAll", Told::Work, onStream([](Stream& s) { s.writeAll("x").detach(); })},
    {"Stream::drain", Told::Nothing, onStream([](Stream& s) { s.drain().detach(); })},
    {"Stream::shutdownWrite", Told::Work, onStream([](Stream& s) { s.shutdownWrite(); })},
    {"Stream::close", Told::Work, onStream([](Stream& s) { s.close().detach(); })},
    {"Stream::abort", Told::Work, onStream([](Stream& s) { s.abort(); })},
    {"Stream::setLimits", Told::Nothing, onStream([](Stream& s) { s.setLimits({.until = 10}); })},

    {"TaskScope::spawn", Told::Work,
     [](Bench& b) {
         return [&b, &scope = keep<TaskScope>(b)] { scope.spawn([&b] { return b.reactor().sleep(0s); }); };
     }},
    {"TaskScope::close", Told::Deadline,
     [](Bench& b) {
         auto& scope = keep<TaskScope>(b);
         scope.spawn([&b] { return b.reactor().sleep(1h); });
         return [&scope] { scope.close().detach(); };
     }},

    {"ThreadPool::callInThread", Told::Descriptor,
     [](Bench& b) { return [&b] { b.reactor().getThreadPool().callInThread(kNothing); }; }},
    {"ThreadPool::callInThreadWithCallback", Told::Descriptor,
     [](Bench& b) {
         return [&b] { b.reactor().getThreadPool().callInThreadWithCallback([](const Result<void>&) {}, kNothing); };
     }},
    {"ThreadPool::configure", Told::Nothing,
     [](Bench& b) { return [&b] { b.reactor().getThreadPool().configure({.maxThreads = 2}); }; }},
    {"ThreadPool::start", Told::Nothing, [](Bench& b) { return [&b] { b.reactor().getThreadPool().start(); }; }},
    {"ThreadPool::stop", Told::Nothing, [](Bench& b) { return [&b] { b.reactor().getThreadPool().stop(); }; }},

    {"ReconnectingClientFactory::retry", Told::Deadline,
     onReconnecting([](ReconnectingClientFactory& f) { f.retry(); })},
    {"ReconnectingClientFactory::stopTrying", Told::Deadline,
     onReconnecting([](ReconnectingClientFactory& f) { f.stopTrying(); })},
    {"ReconnectingClientFactory::resetDelay", Told::Nothing,
     onReconnecting([](ReconnectingClientFactory& f) { f.resetDelay(); })},

    {"CachingResolver::clear", Told::Nothing,
     [](Bench& b) { return [&cache = CachingResolver::install(b.reactor())] { cache.clear(); }; }},
};

} // namespace

TEST_CASE("H2: whatever a helper begins outside of a dispatch is told to onChange, once until the host has asked") {
    const LogCapture quiet; // of Deferreds that fail when the case is over
    for (const Mutator& mutator : kMutators)
        checkThatOnChangeIsTold(mutator);
}

TEST_CASE("H2: whatever a helper begins outside of a dispatch makes the descriptor readable where that is all") {
    const LogCapture quiet; // of Deferreds that fail when the case is over
    for (const Mutator& mutator : kMutators)
        checkThatDescriptorTells(mutator);
}
