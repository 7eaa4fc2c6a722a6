// The kernel has no memory for what is to be sent: a socket stays writable meanwhile, so waiting for that would spin.

#include "reactor/memory_reactor_support.hpp"

#include <reactor/testing/fault_injector.hpp>

#include <doctest/doctest.h>

#include <cerrno>
#include <chrono>
#include <string>

using namespace std::chrono_literals;
using namespace torsion;
using namespace torsion::test;
using testing::MemoryReactor;
using testing::Operation;

namespace {

/// A connection whose client has something to say.
struct Talk {
    Talk() {
        server = keeperFactory();
        client = keeperFactory();
        reactor.listenTCP(80, server);
        reactor.connectTCP("127.0.0.1", 80, client);
        reactor.settle();
    }

    std::uint64_t sends() { return reactor.faults().count(Operation::Send); }
    Transport& transport() { return *client->keeper->transport; }

    MemoryReactor reactor;
    std::shared_ptr<KeeperFactory> server;
    std::shared_ptr<KeeperFactory> client;
};

} // namespace

TEST_CASE("a send without memory is tried again after 10 ms, and not before") {
    for (const int error : {ENOBUFS, ENOMEM}) {
        Talk talk;
        talk.reactor.faults().failNth(Operation::Send, 1, error);
        talk.transport().write("hello");
        talk.transport().write(std::string(10'000, 'x'));
        talk.reactor.settle();
        CHECK(talk.sends() == 1);
        talk.reactor.advance(9ms);
        CHECK(talk.sends() == 1);
        CHECK(talk.server->keeper->received.empty());
        talk.reactor.advance(1ms);
        CHECK(talk.server->keeper->received == "hello" + std::string(10'000, 'x'));
        CHECK(talk.sends() == 2);
    }
}

TEST_CASE("a shortage that goes on is asked for less and less often, down to once a second; then at once again") {
    Talk talk;
    auto& faults = talk.reactor.faults();
    faults.failNth(Operation::Send, 1, ENOBUFS);
    talk.transport().write("hello");
    talk.reactor.settle();
    std::uint64_t sends = 1;
    for (const auto delay : {10ms, 20ms, 40ms, 80ms, 160ms, 320ms, 640ms, 1000ms, 1000ms}) {
        faults.failNth(Operation::Send, 1, ENOBUFS);
        talk.reactor.advance(delay - 1ms);
        CHECK(talk.sends() == sends);
        talk.reactor.advance(1ms);
        CHECK(talk.sends() == ++sends);
    }
    talk.reactor.advance(1s);
    CHECK(talk.server->keeper->received == "hello");
    faults.failNth(Operation::Send, 1, ENOBUFS);
    talk.transport().write(", again");
    talk.reactor.settle();
    talk.reactor.advance(10ms);
    CHECK(talk.server->keeper->received == "hello, again");
}

TEST_CASE("an abort ends the waiting for memory, and a close waits for it") {
    Talk aborted;
    aborted.reactor.faults().failNth(Operation::Send, 1, ENOMEM);
    aborted.transport().write("hello");
    aborted.reactor.settle();
    aborted.transport().abortConnection();
    aborted.reactor.advance(2s);
    CHECK(aborted.client->keeper->reason.check<ConnectionAborted>());
    CHECK(aborted.sends() == 1);

    Talk closed;
    closed.reactor.faults().failNth(Operation::Send, 1, ENOMEM);
    closed.transport().write("hello");
    closed.transport().loseConnection();
    closed.reactor.advance(10ms);
    CHECK(closed.server->keeper->received == "hello");
    closed.reactor.advance(1min);
    CHECK(closed.client->keeper->reason.check<ConnectionDone>());
}
