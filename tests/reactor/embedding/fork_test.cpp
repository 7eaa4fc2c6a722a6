// An embedded reactor, a child process, and its parent.

#include "support/child.hpp"
#include "support/hosted.hpp"
#include "support/raw_socket.hpp"

#include <doctest/doctest.h>

#include <sys/epoll.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

using namespace std::chrono_literals;
using namespace torsion;
using namespace torsion::test;

namespace {

/// What a child does; false is written about on stderr, which the parent reads.
void expect(bool holds, const char* what) {
    if (!holds)
        std::fprintf(stderr, "not so: %s\n", what);
}

} // namespace

TEST_CASE("H8: after fork() the child serves what it inherited, and the parent hears nothing of it") {
    for (const EmbedOptions& options : kEmbeddings) {
        Hosted hosted(options);
        const auto port = hosted.reactor.listenTCP(
            0, HookedFactory::make({.build = [] { return std::make_shared<HookedProtocol>(echoing()); }}),
            {.interface = "127.0.0.1"});
        DelayedCall late = hosted.reactor.callLater(1h, [] {});
        hosted.settle();
        const unsigned generation = hosted.embedding().generation();
        const ChildEnd end = runInChild([&] {
            hosted.embedding().afterFork();
            expect(hosted.embedding().generation() == generation + 1, "another generation");
            bool called = false;
            hosted.reactor.callLater(1ms, [&] { called = true; });
            expect(hosted.until([&] { return called; }), "a timed call is made");
            bool posted = false;
            hosted.reactor.callFromThread([&] { posted = true; });
            expect(hosted.until([&] { return posted; }), "a posted call is made");
            RawSocket peer = RawSocket::connectTo(port->getHost().port());
            peer.send("child");
            std::string received;
            expect(hosted.until([&] { return (received += peer.receive()) == "child"; }), "the child serves");
            late.cancel();
            port->stopListening().detach();
            hosted.settle();
        });
        CHECK(end.said == "");
        CHECK(end.status == 0);
        hosted.settle();
        CHECK_FALSE(hosted.isReadable());
        RawSocket peer = RawSocket::connectTo(port->getHost().port());
        peer.send("parent");
        std::string received;
        CHECK(hosted.until([&] { return (received += peer.receive()) == "parent"; }));
        bool called = false;
        late.reset(1ms);
        hosted.reactor.callLater(1ms, [&] { called = true; });
        CHECK(hosted.until([&] { return called && !late.active(); }));
    }
}

TEST_CASE("H8: after fork() a call from a thread wakes the process that it was made in, and no other") {
    for (const EmbedOptions& options : kEmbeddings) {
        Hosted hosted(options);
        hosted.settle();
        const ChildEnd end = runInChild([&] {
            hosted.embedding().afterFork();
            hosted.settle();
            hosted.reactor.callFromThread([] {});
            expect(hosted.isReadable(), "the child is woken");
        });
        CHECK(end.said == "");
        CHECK(end.status == 0);
        CHECK_FALSE(hosted.isReadable());
    }
}

TEST_CASE("a child that destroys its parent's reactor is ended with a message, and the parent goes on") {
    std::optional<UvReactor> reactor(std::in_place);
    const auto port = reactor->listenTCP(0, HookedFactory::make(), {.interface = "127.0.0.1"});
    const ChildEnd end = runInChild([&] { reactor.reset(); });
    CHECK(end.wasAborted());
    CHECK(end.said.find("a reactor was destroyed in a child process") != std::string::npos);
    bool made = false;
    const RawSocket peer = RawSocket::connectTo(port->getHost().port());
    for (int turn = 0; turn < 1000 && !made; ++turn) {
        reactor->iterate(10ms);
        made = reactor->stats().connectionsMade == 1;
    }
    CHECK(made);
}

TEST_CASE("H8: a host has to register the descriptor anew, though its number may be the same") {
    Hosted hosted;
    hosted.settle();
    const int host = ::epoll_create1(EPOLL_CLOEXEC);
    epoll_event event{};
    event.events = EPOLLIN;
    REQUIRE(::epoll_ctl(host, EPOLL_CTL_ADD, hosted.embedding().fd(), &event) == 0);
    const ChildEnd end = runInChild([&] {
        hosted.embedding().afterFork();
        const int own = ::epoll_create1(EPOLL_CLOEXEC); // an epoll descriptor of the parent's is shared with it
        expect(::epoll_ctl(own, EPOLL_CTL_ADD, hosted.embedding().fd(), &event) == 0, "it can be registered");
        hosted.settle();
        hosted.reactor.callFromThread([] {});
        expect(::epoll_wait(own, &event, 1, 0) == 1, "the new registration tells");
    });
    CHECK(end.said == "");
    CHECK(end.status == 0);
    ::close(host);
}

TEST_CASE("afterFork() inside of a dispatch is refused, and tells the host to ask anew outside of one") {
    Hosted hosted;
    hosted.reactor.callLater(0ms, [&] { CHECK_THROWS_AS(hosted.embedding().afterFork(), std::logic_error); });
    hosted.settle();
    int changes = 0;
    hosted.embedding().onChange([&] { ++changes; });
    const ChildEnd end = runInChild([&] {
        hosted.embedding().afterFork();
        expect(changes == 1, "the host is told");
    });
    CHECK(end.said == "");
    CHECK(changes == 0);
}
