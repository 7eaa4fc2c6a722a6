// One protocol after the other on the same connection.

#include "support/hooked_protocol.hpp"

#include <reactor/reactor.hpp>
#include <reactor/testing/memory_reactor.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

using namespace torsion;
using namespace torsion::test;
using testing::MemoryReactor;

namespace {

constexpr int kLinks = 100'000;

/// What a chain of protocols does, all of its links together.
struct Tally {
    int links = 0;
    int alive = 0;
    int mostAlive = 0;
    int depth = 0;
    int deepest = 0;
    int moved = 0;                  ///< times that input lay somewhere else than where the last link left it
    const char* expected = nullptr; ///< where the next link's input should lie
    std::string taken;

    void enter() { deepest = std::max(deepest, ++depth); }
    void leave() { --depth; }
};

/// One link: counts itself.
class Link : public Protocol {
public:
    explicit Link(Tally& tally) : tally_(tally) {
        ++tally_.links;
        tally_.mostAlive = std::max(tally_.mostAlive, ++tally_.alive);
    }
    ~Link() override { --tally_.alive; }

protected:
    Tally& tally_;
};

/// Takes one byte, and leaves the rest to the next of its kind.
class TakesOne : public Link {
public:
    using Link::Link;
    void dataReceived(std::string_view data) override {
        tally_.enter();
        tally_.moved += data.data() == tally_.expected ? 0 : 1;
        tally_.expected = data.data() + 1;
        tally_.taken += data.front();
        if (data.size() > 1)
            transport->switchProtocol(std::make_shared<TakesOne>(tally_), data.substr(1));
        tally_.leave();
    }
};

/// Leaves the connection to the next of its kind at once.
class TakesNothing : public Link {
public:
    using Link::Link;
    void connectionMade() override {
        tally_.enter();
        if (tally_.links < kLinks)
            transport->switchProtocol(std::make_shared<TakesNothing>(tally_));
        tally_.leave();
    }
};

constexpr std::string_view kWhole = "1abcdefghi";

/// Takes one byte, and leaves the rest to `next`.
class TakesFirst : public Protocol {
public:
    explicit TakesFirst(std::shared_ptr<Protocol> next) : next_(std::move(next)) {}
    void dataReceived(std::string_view data) override { transport->switchProtocol(next_, data.substr(1)); }

private:
    std::shared_ptr<Protocol> next_;
};

/// Takes one byte, and leaves what is before `middle`, what is after it, and nothing, each with a switch of its own.
class Severally : public Protocol {
public:
    Severally(std::shared_ptr<Protocol> last, std::size_t middle) : last_(std::move(last)), middle_(middle) {}
    void dataReceived(std::string_view data) override {
        transport->switchProtocol(std::make_shared<HookedProtocol>(), data.substr(1, middle_ - 1));
        transport->switchProtocol(std::make_shared<HookedProtocol>(), data.substr(middle_));
        transport->switchProtocol(last_, data.substr(data.size()));
    }

private:
    std::shared_ptr<Protocol> last_;
    std::size_t middle_;
};

/// A connection whose server speaks `protocol`.
struct Connection {
    explicit Connection(std::shared_ptr<Protocol> protocol) {
        reactor.network().setLimits({.capacity = 2 * kLinks, .maxReceive = 2 * kLinks});
        reactor.listenTCP(80, HookedFactory::of(std::move(protocol)));
        reactor.connectTCP("127.0.0.1", 80, HookedFactory::of(client));
        reactor.settle();
        REQUIRE(client->record->made == 1);
    }

    void send(std::string_view data) {
        client->transport->write(data);
        reactor.settle();
    }

    std::shared_ptr<HookedProtocol> client = std::make_shared<HookedProtocol>();
    MemoryReactor reactor;
};

std::string text(std::size_t size) {
    std::string result;
    for (std::size_t i = 0; i < size; ++i)
        result += static_cast<char>('a' + i % 26);
    return result;
}

} // namespace

TEST_CASE("100,000 protocols that take a byte each and switch nest no deeper than one, and the input is copied once") {
    Tally tally;
    const std::string sent = text(kLinks);
    {
        Connection connection(std::make_shared<TakesOne>(tally));
        connection.send(sent);
        CHECK(connection.reactor.stats().bytesReceived == sent.size()); // however often they were handed on
        connection.send("!");
    }
    CHECK((tally.taken == sent + "!"));
    CHECK(tally.links == kLinks);
    CHECK(tally.deepest == 1);
    CHECK(tally.mostAlive == 2); // a link and the next
    CHECK(tally.moved == 3);     // the first bytes, what the first link left of them, and the last byte
    CHECK(tally.alive == 0);
}

TEST_CASE("100,000 protocols that switch when they are made nest no deeper than one") {
    Tally tally;
    const Connection connection(std::make_shared<TakesNothing>(tally));
    CHECK(tally.links == kLinks);
    CHECK(tally.deepest == 1);
    CHECK(tally.mostAlive == 3); // the one before is kept until the link has heard of its connection
    CHECK(tally.alive == 1);
}

TEST_CASE("input that is handed on waits while the next protocol pauses, and comes before new input") {
    const auto second = std::make_shared<HookedProtocol>(
        ProtocolHooks{.made = [](HookedProtocol& self) { self.transport->pauseProducing(); }});
    const auto first = std::make_shared<HookedProtocol>(ProtocolHooks{.data = [&second](HookedProtocol& self) {
        self.transport->switchProtocol(second, std::string_view(self.record->received).substr(1));
    }});
    Connection connection(first);
    connection.send("abc");
    connection.send("def");
    CHECK(second->record->made == 1);
    CHECK(second->record->received.empty());
    second->transport->resumeProducing();
    connection.reactor.settle();
    CHECK(second->record->received == "bcdef");
}

TEST_CASE("of several switches in one callback the last protocol gets the bytes that all of them left, in order") {
    for (const std::size_t middle : {std::size_t{3}, std::size_t{6}, kWhole.size()}) {
        CAPTURE(middle);
        for (const bool handedOn : {false, true}) { // received, or left by a protocol before
            CAPTURE(handedOn);
            const auto last = std::make_shared<HookedProtocol>();
            std::shared_ptr<Protocol> first = std::make_shared<Severally>(last, middle);
            if (handedOn)
                first = std::make_shared<TakesFirst>(first);
            Connection connection(first);
            connection.send((handedOn ? "0" : "") + std::string(kWhole));
            CHECK(last->record->received == kWhole.substr(1));
        }
    }
}

TEST_CASE("a protocol that switches inside guarded() lives until that has returned to it") {
    auto server = std::make_shared<HookedProtocol>();
    const std::weak_ptr<Protocol> old = server;
    const auto next = std::make_shared<HookedProtocol>();
    Connection connection(server);
    Transport& transport = *server->transport;
    server.reset(); // the connection's own from here on
    transport.guarded([&] { transport.switchProtocol(next); });
    CHECK_FALSE(old.expired());
    CHECK(next->record->made == 0);
    connection.reactor.settle();
    CHECK(old.expired());
    CHECK(next->record->made == 1);
}

TEST_CASE("a protocol that switches inside guarded() inside its callback lives until the callback has returned") {
    std::weak_ptr<Protocol> old;
    const auto next = std::make_shared<HookedProtocol>();
    bool lived = false;
    auto server = std::make_shared<HookedProtocol>(ProtocolHooks{.data = [&](HookedProtocol& self) {
        self.transport->guarded([&] { self.transport->switchProtocol(next, "left"); });
        lived = !old.expired() && next->record->made == 0;
    }});
    old = server;
    Connection connection(server);
    server.reset();
    connection.send("go");
    CHECK(lived);
    CHECK(old.expired());
    CHECK(next->record->received == "left");
}
