// Whatever a protocol or producer does inside whichever of its callbacks: every connection that was made is lost
// exactly once and last, nothing is leaked, and the reactor serves on.

#include "support/hooked_protocol.hpp"
#include "support/link.hpp"
#include "support/log_capture.hpp"
#include "support/raw_socket.hpp"
#include "support/run_until.hpp"

#include <reactor/errors.hpp>
#include <reactor/libuv/uv_reactor.hpp>

#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

using namespace torsion;
using namespace torsion::test;

namespace {

class CellProducer;

/// One callback of one side, and what is done inside of it. `actor` is the side that does it.
struct Cell {
    Cell(Dispatch dispatch, bool serverActs) : dispatch_(dispatch), serverActs_(serverActs) {}

    void open(HookedProtocol::Hooks hooks) {
        const auto acting = std::make_shared<HookedProtocol>(std::move(hooks));
        const auto other = std::make_shared<HookedProtocol>(HookedProtocol::Hooks{.readLost = [](HookedProtocol&) {}});
        link = std::make_unique<Link>(serverActs_ ? acting : other, serverActs_ ? other : acting, dispatch_);
        actorRecord = acting->record;
        peerRecord = other->record;
    }

    std::shared_ptr<HookedProtocol>& actor() { return serverActs_ ? link->server : link->client; }
    std::shared_ptr<HookedProtocol>& peer() { return serverActs_ ? link->client : link->server; }
    Transport& actorTransport() { return actor() ? *actor()->transport : Transport::null(); }
    Transport& peerTransport() { return peer() ? *peer()->transport : Transport::null(); }
    bool until(const std::function<bool()>& condition) { return runUntil(link->reactor, condition); }

    std::unique_ptr<Link> link;
    std::shared_ptr<Record> actorRecord;
    std::shared_ptr<Record> peerRecord;
    std::unique_ptr<CellProducer> producer;
    std::vector<std::shared_ptr<Record>> switchedTo;
    int fired = 0;

private:
    Dispatch dispatch_;
    bool serverActs_;
};

/// A push producer that does nothing but what the cell asks for, in one of its callbacks.
class CellProducer : public PushProducer {
public:
    using Hook = std::function<void()>;
    void resumeProducing() override { call(resume); }
    void pauseProducing() override { call(pause); }
    void stopProducing() override { call(stop); }

    Hook resume{};
    Hook pause{};
    Hook stop{};

private:
    static void call(const Hook& hook) {
        const Hook copy = hook; // it may destroy the producer
        if (copy)
            copy();
    }
};

std::shared_ptr<HookedProtocol> nextProtocol(Cell& cell) {
    auto next = std::make_shared<HookedProtocol>();
    cell.switchedTo.push_back(next->record);
    return next;
}

struct Action {
    const char* name;
    void (*act)(Cell&);
};

const Action kActions[] = {
    {"aborts", [](Cell& cell) { cell.actorTransport().abortConnection(); }},
    {"loses", [](Cell& cell) { cell.actorTransport().loseConnection(); }},
    {"ends its output", [](Cell& cell) { cell.actorTransport().loseWriteConnection(); }},
    {"writes, loses, aborts and writes",
     [](Cell& cell) {
         cell.actorTransport().write(std::string(300'000, 'x'));
         cell.actorTransport().loseConnection();
         cell.actorTransport().abortConnection();
         cell.actorTransport().write("dropped");
     }},
    {"writes very much", [](Cell& cell) { cell.actorTransport().write(std::string(2'000'000, 'x')); }},
    {"switches", [](Cell& cell) { cell.actorTransport().switchProtocol(nextProtocol(cell), "unparsed"); }},
    {"switches and aborts",
     [](Cell& cell) {
         cell.actorTransport().switchProtocol(nextProtocol(cell), "unparsed");
         cell.actorTransport().abortConnection();
     }},
    {"pauses, switches twice and loses",
     [](Cell& cell) {
         cell.actorTransport().pauseProducing();
         cell.actorTransport().switchProtocol(nextProtocol(cell), "unparsed");
         cell.actorTransport().switchProtocol(nextProtocol(cell));
         cell.actorTransport().loseConnection();
     }},
    {"drops itself and aborts",
     [](Cell& cell) {
         Transport& transport = cell.actorTransport();
         cell.actor().reset();
         transport.abortConnection();
     }},
    {"drops itself and switches",
     [](Cell& cell) {
         Transport& transport = cell.actorTransport();
         cell.actor().reset();
         transport.switchProtocol(nextProtocol(cell));
     }},
    {"throws", [](Cell&) { throw std::runtime_error("thrown by the test"); }},
    {"aborts the peer", [](Cell& cell) { cell.peerTransport().abortConnection(); }},
    {"loses the peer", [](Cell& cell) { cell.peerTransport().loseConnection(); }},
    {"switches and drops the peer",
     [](Cell& cell) {
         cell.peerTransport().switchProtocol(nextProtocol(cell));
         cell.peer().reset();
     }},
    {"drops and aborts the peer",
     [](Cell& cell) {
         Transport& transport = cell.peerTransport();
         cell.peer().reset();
         transport.abortConnection();
     }},
    {"aborts both",
     [](Cell& cell) {
         cell.actorTransport().abortConnection();
         cell.peerTransport().abortConnection();
     }},
    {"stops the port and loses",
     [](Cell& cell) {
         cell.link->port->stopListening().detach();
         cell.link->port.reset();
         cell.actorTransport().loseConnection();
     }},
    {"takes its producer off and loses",
     [](Cell& cell) {
         cell.actorTransport().unregisterProducer();
         cell.actorTransport().loseConnection();
     }},
    {"destroys its producer and loses",
     [](Cell& cell) {
         cell.producer.reset();
         cell.actorTransport().loseConnection();
     }},
    {"destroys its producer and aborts",
     [](Cell& cell) {
         cell.producer.reset();
         cell.actorTransport().abortConnection();
     }},
};

/// Leads a cell to the callback in question.
struct Position {
    const char* name;
    HookedProtocol::Hook HookedProtocol::Hooks::*hook; ///< of the protocol, or null
    CellProducer::Hook CellProducer::*producerHook;    ///< of the producer, or null
    void (*provoke)(Cell&);
};

void nothing(Cell&) {}

void fillOutput(Cell& cell) {
    cell.peerTransport().pauseProducing();
    cell.actorTransport().write(std::string(2'000'000, 'x'));
}

const Position kPositions[] = {
    {"connectionMade", &HookedProtocol::Hooks::made, nullptr, &nothing},
    {"dataReceived", &HookedProtocol::Hooks::data, nullptr, [](Cell& cell) { cell.peerTransport().write("x"); }},
    {"readConnectionLost", &HookedProtocol::Hooks::readLost, nullptr,
     [](Cell& cell) { cell.peerTransport().loseWriteConnection(); }},
    {"writeConnectionLost", &HookedProtocol::Hooks::writeLost, nullptr,
     [](Cell& cell) {
         cell.actorTransport().unregisterProducer(); // which the end of output waits for
         cell.actorTransport().loseWriteConnection();
     }},
    {"connectionLost", &HookedProtocol::Hooks::lost, nullptr,
     [](Cell& cell) { cell.peerTransport().abortConnection(); }},
    {"pauseProducing", nullptr, &CellProducer::pause, &fillOutput},
    {"resumeProducing", nullptr, &CellProducer::resume,
     [](Cell& cell) {
         fillOutput(cell);
         cell.peerTransport().resumeProducing();
     }},
    {"stopProducing", nullptr, &CellProducer::stop, [](Cell& cell) { cell.actorTransport().abortConnection(); }},
};

/// Once, inside the callback.
void fire(Cell& cell, const Action& action) {
    if (cell.fired++ == 0)
        action.act(cell);
}

void runToTheEnd(Cell& cell, const Position& position, const Action& action) {
    HookedProtocol::Hooks hooks;
    const auto act = [&cell, &action](HookedProtocol&) { fire(cell, action); };
    if (position.hook)
        hooks.*position.hook = act;
    cell.open(std::move(hooks));
    cell.producer = std::make_unique<CellProducer>();
    if (position.producerHook)
        (*cell.producer).*position.producerHook = [&cell, &action] { fire(cell, action); };
    CHECK(cell.until([&] { return cell.actorRecord->made != 0 && (cell.peerRecord->made != 0 || cell.fired != 0); }));
    if (cell.producer && cell.actorTransport().isConnected())
        cell.actorTransport().registerProducer(*cell.producer);
    position.provoke(cell);
    CHECK(cell.until([&] { return cell.fired != 0; }));
    runTurns(cell.link->reactor, 20);
    cell.producer.reset();
    cell.actorTransport().abortConnection();
    cell.peerTransport().abortConnection();
}

/// A fresh connection is still served.
void checkServes(Cell& cell) {
    bool served = false;
    const auto factory = HookedFactory::make({.build = [&] {
        return std::make_shared<HookedProtocol>(
            HookedProtocol::Hooks{.made = [&](HookedProtocol& protocol) { protocol.transport->loseConnection(); },
                                  .lost = [&](HookedProtocol&) { served = true; }});
    }});
    const auto port = cell.link->reactor.listenTCP(0, factory, {.interface = "127.0.0.1"});
    RawSocket peer = RawSocket::connectTo(port->getHost().port());
    CHECK(cell.until([&] { return static_cast<void>(peer.receive()), peer.finished(); }));
    peer.close();
    CHECK(cell.until([&] { return served; }));
}

void checkRecords(Cell& cell) {
    std::vector<std::shared_ptr<Record>> all{cell.actorRecord, cell.peerRecord};
    all.insert(all.end(), cell.switchedTo.begin(), cell.switchedTo.end());
    std::uint64_t lost = 0;
    for (const auto& record : all) {
        CHECK(record->lost <= record->made);
        CHECK(record->made <= 1);
        CHECK(record->late == 0);
        lost += static_cast<std::uint64_t>(record->lost);
    }
    CHECK(lost == cell.link->reactor.stats().connectionsLost - 1); // without checkServes
}

void runCell(Dispatch dispatch, bool serverActs, const Position& position, const Action& action) {
    CAPTURE(position.name);
    CAPTURE(action.name);
    CAPTURE(serverActs);
    const int protocols = HookedProtocol::alive;
    const int factories = HookedFactory::alive;
    {
        Cell cell(dispatch, serverActs);
        runToTheEnd(cell, position, action);
        CHECK(cell.until([&] {
            cell.peerTransport().abortConnection(); // may come to be only now
            const ReactorStats stats = cell.link->reactor.stats();
            return stats.connections == 0 && cell.link->clientFactory->losses + cell.link->clientFactory->failures != 0;
        }));
        checkServes(cell);
        checkRecords(cell);
        CHECK(cell.link->reactor.stats().bufferedBytes == 0);
        CHECK(cell.link->reactor.stats().lingering == 0);
    }
    CHECK(HookedProtocol::alive == protocols);
    CHECK(HookedFactory::alive == factories);
}

void runAll(Dispatch dispatch) {
    LogCapture quiet;
    for (const Position& position : kPositions) {
        for (const Action& action : kActions) {
            for (const bool serverActs : {true, false})
                runCell(dispatch, serverActs, position, action);
        }
    }
}

} // namespace

TEST_CASE("S-33: whatever a protocol does inside each callback, its connection is lost once and last, and freed") {
    runAll(Dispatch::Direct);
}

TEST_CASE("S-33: whatever a protocol does inside each callback, in two phases too") {
    runAll(Dispatch::TwoPhase);
}
