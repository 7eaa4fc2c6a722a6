// A reactor on a loop that somebody else runs.

#include "support/host_loop.hpp"
#include "support/raw_socket.hpp"
#include "support/scripted_reactor.hpp"

#include <doctest/doctest.h>

#include <reactor/errors.hpp>
#include <reactor/failure.hpp>
#include <reactor/libuv/uv_reactor.hpp>
#include <reactor/protocol.hpp>

#include <uv.h>

#include <chrono>
#include <csignal>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace torsion;
using test::HostLoop;
using test::HostTimer;
using namespace std::chrono_literals;

namespace {

class Echo : public Protocol {
    void dataReceived(std::string_view data) override { transport->write(data); }
};

class Collecting : public Protocol {
public:
    explicit Collecting(std::string* received) : received_(received) {}
    void dataReceived(std::string_view data) override { received_->append(data); }

private:
    std::string* received_;
};

/// Says hello, and ends the connection and the port when the answer is there.
class Asker : public Protocol {
public:
    Asker(std::vector<std::string>* log, std::shared_ptr<ListeningPort> port) : log_(log), port_(std::move(port)) {}

    void connectionMade() override { transport->write("hello"); }
    void dataReceived(std::string_view data) override {
        received_ += data;
        if (received_ != "hello")
            return;
        log_->push_back(received_);
        transport->loseConnection();
        port_->stopListening().detach();
    }
    void connectionLost(const Failure& reason) override { log_->push_back(reason.name()); }

private:
    std::vector<std::string>* log_;
    std::shared_ptr<ListeningPort> port_;
    std::string received_;
};

/// Counts what becomes of it.
class Counting : public Protocol {
public:
    Counting(int* made, int* lost) : made_(made), lost_(lost) {}
    void connectionMade() override { ++*made_; }
    void connectionLost(const Failure&) override { ++*lost_; }

private:
    int* made_;
    int* lost_;
};

constexpr Dispatch kModes[] = {Dispatch::Direct, Dispatch::TwoPhase};

template <class P, class... Args>
std::shared_ptr<ListeningPort> listenQuietly(Reactor& reactor, Args... args) {
    auto factory = Factory::forProtocol<P>(args...);
    factory->noisy = false;
    return reactor.listenTCP(0, factory, {.interface = "127.0.0.1"});
}

template <class P, class... Args>
void connectQuietly(Reactor& reactor, const ListeningPort& port, Args... args) {
    auto factory = ClientFactory::forProtocol<P>(args...);
    factory->noisy = false;
    reactor.connectTCP("127.0.0.1", port.getHost().port(), factory);
}

test::ScriptedResolver& useScriptedNames(UvReactor& reactor) {
    auto resolver = std::make_unique<test::ScriptedResolver>();
    test::ScriptedResolver& result = *resolver;
    reactor.setResolver(std::move(resolver));
    return result;
}

} // namespace

TEST_CASE("a foreign loop carries an echo, and ends by itself when everything is closed") {
    for (const Dispatch mode : kModes) {
        HostLoop loop;
        std::vector<std::string> log;
        {
            UvReactor reactor(loop.get(), {.dispatch = mode});
            const auto port = listenQuietly<Echo>(reactor);
            connectQuietly<Asker>(reactor, *port, &log, port);
            loop.run();
            CHECK(reactor.stats().connections == 0);
        }
        CHECK(log == std::vector<std::string>{"hello", "ConnectionDone"});
        CHECK(loop.close() == 0);
    }
}

TEST_CASE("a reactor with nothing open keeps no foreign loop alive") {
    HostLoop loop;
    const UvReactor reactor(loop.get());
    loop.run();
    CHECK(uv_loop_alive(loop.get()) == 0);
}

TEST_CASE("a pending call keeps a foreign loop alive until it is made") {
    HostLoop loop;
    UvReactor reactor(loop.get());
    bool called = false;
    reactor.callLater(2ms, [&] { called = true; });
    loop.run();
    CHECK(called);
}

TEST_CASE("a name that is being looked up keeps a foreign loop alive, and so does the attempt to connect after it") {
    for (const Dispatch mode : kModes) {
        HostLoop loop;
        UvReactor reactor(loop.get(), {.dispatch = mode});
        test::ScriptedResolver& names = useScriptedNames(reactor);
        const test::RawSocket server = test::RawSocket::listen();
        int made = 0;
        int lost = 0;
        auto factory = ClientFactory::forProtocol<Counting>(&made, &lost);
        factory->noisy = false;
        const auto connector = reactor.connectTCP("late.example", server.port(), factory, {.timeout = std::nullopt});
        for (int i = 0; i < 10; ++i)
            uv_run(loop.get(), UV_RUN_NOWAIT);
        CHECK(uv_loop_alive(loop.get()) != 0);
        reactor.remote().post([&] { names.queries.at(0)->answer({Address::ipv4("127.0.0.1", server.port())}); });
        for (int i = 0; i < 1000 && made == 0; ++i)
            uv_run(loop.get(), UV_RUN_ONCE);
        CHECK(made == 1);
        connector->transport().abortConnection();
        loop.run();
        CHECK(lost == 1);
        CHECK(uv_loop_alive(loop.get()) == 0);
    }
}

TEST_CASE("a look-up that is given up keeps a foreign loop alive no longer") {
    HostLoop loop;
    UvReactor reactor(loop.get());
    useScriptedNames(reactor);
    const auto factory = ClientFactory::forProtocol<Protocol>();
    factory->noisy = false;
    const auto connector = reactor.connectTCP("late.example", 9, factory, {.timeout = std::nullopt});
    connector->stopConnecting();
    loop.run();
    CHECK(connector->state() == Connector::State::Disconnected);
}

TEST_CASE("run() and iterate() are refused on a foreign loop, and change nothing") {
    HostLoop loop;
    UvReactor reactor(loop.get());
    bool triggered = false;
    reactor.callWhenRunning([&] { triggered = true; });
    CHECK_THROWS_AS(reactor.run(), std::logic_error);
    CHECK_THROWS_AS(reactor.iterate(), std::logic_error);
    CHECK_FALSE(triggered);
    CHECK_FALSE(reactor.isRunning());
    CHECK_THROWS_AS(reactor.stop(), ReactorNotRunning);
    bool called = false;
    reactor.callLater(0s, [&] { called = true; });
    loop.run();
    CHECK(called);
}

TEST_CASE("run() is allowed on a foreign loop where its owner says so; it returns after stop(), and again") {
    HostLoop loop;
    UvReactor reactor(loop.get(), {.runForeignLoop = true});
    int hostCalls = 0;
    const HostTimer host(loop, 0, [&] { ++hostCalls; });
    for (int round = 0; round < 2; ++round) {
        reactor.callLater(2ms, [&] { reactor.stop(); });
        reactor.run();
        CHECK_FALSE(reactor.isRunning());
    }
    CHECK(hostCalls == 1);
}

TEST_CASE("signals are not touched on a foreign loop") {
    HostLoop loop;
    UvReactor reactor(loop.get(), {.runForeignLoop = true});
    struct sigaction before {};
    ::sigaction(SIGTERM, nullptr, &before);
    reactor.callWhenRunning([&] {
        struct sigaction during {};
        ::sigaction(SIGTERM, nullptr, &during);
        CHECK((during.sa_handler == before.sa_handler));
        reactor.stop();
    });
    reactor.run();
}

TEST_CASE("a reactor's end closes nothing of the host's") {
    HostLoop loop;
    int calls = 0;
    const HostTimer host(loop, 2, [&] { ++calls; });
    {
        UvReactor reactor(loop.get());
        const auto port = listenQuietly<Echo>(reactor);
        uv_run(loop.get(), UV_RUN_NOWAIT);
    }
    CHECK(host.isPending());
    loop.run();
    CHECK(calls == 1);
}

TEST_CASE("a reactor on a foreign loop may be destroyed with everything open, and the loop can be closed after it") {
    for (const Dispatch mode : kModes) {
        HostLoop loop;
        int made = 0;
        int lost = 0;
        Remote remote;
        DelayedCall pending;
        {
            UvReactor reactor(loop.get(), {.dispatch = mode});
            const auto port = listenQuietly<Counting>(reactor, &made, &lost);
            connectQuietly<Counting>(reactor, *port, &made, &lost);
            for (int i = 0; i < 1000 && made < 2; ++i)
                uv_run(loop.get(), UV_RUN_ONCE);
            REQUIRE(made == 2);
            connectQuietly<Counting>(reactor, *port, &made, &lost); // under way
            pending = reactor.callLater(1h, [] { FAIL("called by a reactor that is gone"); });
            remote = reactor.remote();
            CHECK(remote.post([] { FAIL("called by a reactor that is gone"); }));
        }
        CHECK(lost == 2);
        CHECK_FALSE(pending.active());
        CHECK_FALSE(remote.post([] {}));
        loop.run();
        CHECK(loop.close() == 0);
    }
}

TEST_CASE("a reactor that never ran may be destroyed on its foreign loop") {
    HostLoop loop;
    std::optional<UvReactor> reactor(std::in_place, loop.get());
    reactor->callLater(1h, [] {});
    const auto port = listenQuietly<Echo>(*reactor);
    reactor.reset();
    CHECK(loop.close() == 0);
}

TEST_CASE("two reactors on one loop talk to each other, and the end of one leaves the other whole") {
    for (const Dispatch mode : kModes) {
        HostLoop loop;
        std::optional<UvReactor> server(std::in_place, loop.get(), ReactorOptions{.dispatch = mode});
        UvReactor client(loop.get(), {.dispatch = mode});
        std::vector<std::string> log;
        const auto port = listenQuietly<Echo>(*server);
        connectQuietly<Asker>(client, *port, &log, port);
        loop.run();
        CHECK(log == std::vector<std::string>{"hello", "ConnectionDone"});

        int made = 0;
        int lost = 0;
        const auto second = listenQuietly<Counting>(*server, &made, &lost);
        connectQuietly<Counting>(client, *second, &made, &lost);
        for (int i = 0; i < 1000 && made < 2; ++i)
            uv_run(loop.get(), UV_RUN_ONCE);
        REQUIRE(made == 2);
        server.reset();
        CHECK(lost == 1);
        loop.run(); // the client hears of it
        CHECK(lost == 2);
        bool called = false;
        client.callLater(0s, [&] { called = true; });
        loop.run();
        CHECK(called);
    }
}

TEST_CASE("what is scheduled in a callback of the host's is done though the loop was about to wait") {
    HostLoop loop;
    UvReactor reactor(loop.get());
    const auto port = listenQuietly<Echo>(reactor); // keeps the loop waiting
    bool called = false;
    const HostTimer host(loop, 1, [&] {
        reactor.callLater(0s, [&] {
            called = true;
            port->stopListening().detach();
        });
    });
    loop.run();
    CHECK(called);
}

TEST_CASE("what is written in a callback of the host's leaves though the loop was about to wait") {
    HostLoop loop;
    UvReactor reactor(loop.get());
    std::string received;
    int made = 0;
    int lost = 0;
    const auto port = listenQuietly<Collecting>(reactor, &received);
    const auto client = std::make_shared<Counting>(&made, &lost);
    const auto factory = ClientFactory::fromFunction([client](const Address&) { return client; });
    factory->noisy = false;
    reactor.connectTCP("127.0.0.1", port->getHost().port(), factory);
    for (int i = 0; i < 1000 && made == 0; ++i)
        uv_run(loop.get(), UV_RUN_ONCE);
    REQUIRE(made == 1);
    const HostTimer host(loop, 1, [&] {
        client->transport->write("from the host");
        client->transport->loseConnection();
        port->stopListening().detach();
    });
    loop.run();
    CHECK(received == "from the host");
    CHECK(lost == 1);
}

TEST_CASE("another thread's call reaches a reactor whose foreign loop waits") {
    HostLoop loop;
    UvReactor reactor(loop.get());
    const auto port = listenQuietly<Echo>(reactor);
    std::thread other([&port, remote = reactor.remote()] { remote.post([&port] { port->stopListening().detach(); }); });
    loop.run();
    other.join();
    CHECK_FALSE(port->isListening());
}
