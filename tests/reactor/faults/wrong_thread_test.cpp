// What belongs to the reactor's thread is used on another one: a debug build says so and ends.

#include "support/link.hpp"
#include "support/log_capture.hpp"
#include "support/skip.hpp"

#include <doctest/doctest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <functional>
#include <iterator>
#include <optional>
#include <string>
#include <thread>

using namespace torsion;
using namespace torsion::test;

namespace {

#ifndef NDEBUG
struct End {
    int status = -1;    // as waitpid has it
    std::string errors; // what it printed on stderr
};

/// Runs `body` in a process of its own.
End inChild(const std::function<void()>& body) {
    int pipe[2];
    REQUIRE(::pipe(pipe) == 0);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        ::signal(SIGABRT, SIG_DFL); // the test program's handler would report a crash
        ::dup2(pipe[1], STDERR_FILENO);
        try {
            body();
        } catch (...) {
            ::_exit(2);
        }
        ::_exit(0);
    }
    ::close(pipe[1]);
    End end;
    char buffer[512];
    for (ssize_t count = 0; (count = ::read(pipe[0], buffer, sizeof buffer)) > 0;)
        end.errors.append(buffer, static_cast<std::size_t>(count));
    ::close(pipe[0]);
    REQUIRE(::waitpid(child, &end.status, 0) == child);
    return end;
}

using Use = void (*)(Transport&);

const Use kUses[] = {
    [](Transport& transport) { transport.write("hello"); },
    [](Transport& transport) {
        const std::string_view pieces[]{"hello"};
        transport.writeSequence(pieces);
    },
    [](Transport& transport) { transport.flush(); },
    [](Transport& transport) { transport.loseConnection(); },
    [](Transport& transport) { transport.abortConnection(); },
    [](Transport& transport) { transport.loseWriteConnection(); },
    [](Transport& transport) { transport.pauseProducing(); },
    [](Transport& transport) { transport.resumeProducing(); },
    [](Transport& transport) { transport.registerProducer(Transport::null()); },
    [](Transport& transport) { transport.unregisterProducer(); },
    [](Transport& transport) { transport.setWriteBufferLimits({}); },
    [](Transport& transport) { transport.guarded([] {}); },
    [](Transport& transport) { transport.reactor().callLater(Duration::zero(), [] {}); },
};
#endif

} // namespace

TEST_CASE("S-151: a debug build ends with a message when a connection is used outside its reactor's thread") {
#ifdef NDEBUG
    support::reportSkip("debug", "assertions are compiled out");
#else
    for (std::size_t i = 0; i < std::size(kUses); ++i) {
        CAPTURE(i);
        const End end = inChild([i] {
            LogCapture quiet;
            Link link;
            Transport& transport = *link.client->transport;
            std::thread([&] { kUses[i](transport); }).join();
        });
        CHECK(WIFSIGNALED(end.status));
        CHECK(WTERMSIG(end.status) == SIGABRT);
        CHECK(end.errors.find("a reactor was used outside its thread") != std::string::npos);
    }
#endif
}

TEST_CASE("S-151: a connection may be used on the thread that runs its reactor, and on the one that destroys it") {
    LogCapture quiet;
    std::optional<Link> link(std::in_place);
    const auto server = link->serverRecord;
    const auto client = link->clientRecord;
    link->reactor.callWhenRunning([&] {
        link->client->transport->write("hello");
        link->reactor.crash();
    });
    std::thread([&] { link->reactor.run(); }).join();
    CHECK(server->lost + client->lost == 0);
    link.reset();
    CHECK(server->lost == 1);
    CHECK(client->lost == 1);
}
