#include <doctest/doctest.h>

#include <reactor/errors.hpp>
#include <reactor/factory.hpp>
#include <reactor/libuv/react.hpp>
#include <reactor/listening_port.hpp>
#include <reactor/protocol.hpp>
#include <reactor/react.hpp>
#include <reactor/stream.hpp>
#include <reactor/testing/memory_reactor.hpp>

#include "support/deferred_result.hpp"
#include "support/log_capture.hpp"

#include <chrono>
#include <csignal>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

using namespace std::chrono_literals;
using namespace torsion;
using test::LogCapture;
using test::Trace;
using torsion::testing::MemoryReactor;

namespace {

class Silent : public Protocol {
public:
    void dataReceived(std::string_view) override {}
};

Deferred<void> sleeping(Reactor& reactor) {
    co_await reactor.sleep(1h);
}

Deferred<int> cleaningUp(Reactor& reactor, Trace& trace, Duration patience) {
    try {
        co_await reactor.sleep(24h);
    } catch (const CancelledError&) {
        trace.push_back("cancelled");
    }
    co_await reactor.sleep(patience);
    trace.push_back(reactor.isRunning() ? "clean" : "too late");
    co_return 4;
}

/// The exit status of a child process that does `program`.
template <class F>
int exitStatus(F program) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        ::alarm(20); // of a child that hangs
        ::_exit(program());
    }
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + status;
}

} // namespace

TEST_CASE("L27 (S-189): react runs until main has ended, stops the reactor, and gives 0") {
    MemoryReactor reactor;
    bool stopped = false;
    reactor.addSystemEventTrigger(EventPhase::During, SystemEvent::Shutdown, [&] { stopped = true; });
    CHECK(react(reactor, sleeping) == 0);
    CHECK(stopped);
    CHECK_FALSE(reactor.isRunning());
    CHECK(react(reactor, [](Reactor&) {}) == 0);
    CHECK(react(reactor, [](MemoryReactor& own) { own.callLater(1s, [] {}); }) == 0);
}

TEST_CASE("S-189: the value of main is the exit status") {
    MemoryReactor reactor;
    CHECK(react(reactor, [](Reactor&) { return 7; }) == 7);
    CHECK(react(reactor, [](Reactor& own) -> Deferred<int> {
              co_await own.sleep(1s);
              co_return 8;
          }) == 8);
}

TEST_CASE("L28 (S-189): a main that fails is logged, and the exit status is 1") {
    const LogCapture log;
    MemoryReactor reactor;
    CHECK(react(reactor, [](Reactor& own) -> Deferred<void> {
              co_await own.sleep(1s);
              throw NoProtocol();
          }) == 1);
    CHECK(log.count("NoProtocol") == 1);
    CHECK(react(reactor, [](Reactor&) { throw std::runtime_error("not today"); }) == 1);
    CHECK(log.count("not today") == 1);
    CHECK(react(reactor, [](Reactor&) { return fail(Failure::of<CancelledError>()); }) == 1);
    CHECK(log.count() == 3);
}

TEST_CASE("L29 (S-189): SystemExit is the exit status, without a word") {
    const LogCapture log;
    MemoryReactor reactor;
    CHECK(react(reactor, [](Reactor& own) -> Deferred<void> {
              co_await own.sleep(1s);
              throw SystemExit(23);
          }) == 23);
    CHECK(react(reactor, [](Reactor&) { throw SystemExit(0); }) == 0);
    CHECK(react(reactor, [](Reactor&) { return fail(Failure::of<SystemExit>("enough", 3)); }) == 3);
    CHECK(log.count() == 0);
    CHECK(SystemExit(5).status() == 5);
}

TEST_CASE("L30 (S-189): a reactor that is stopped first cancels main, and waits while that cleans up") {
    const LogCapture log;
    MemoryReactor reactor;
    Trace trace;
    reactor.callLater(1s, [&] { reactor.stop(); });
    CHECK(react(reactor, [&](Reactor& own) { return cleaningUp(own, trace, 5s); }) == 4);
    CHECK(trace == Trace{"cancelled", "clean"});
    reactor.callLater(1s, [&] { reactor.stop(); });
    CHECK(react(reactor, sleeping) == 0);
    CHECK(log.count() == 0);
}

TEST_CASE("S-189: main is given up when it does not end in time") {
    const LogCapture log;
    Trace trace;
    {
        MemoryReactor reactor;
        reactor.callLater(1s, [&] { reactor.stop(); });
        const auto program = [&](Reactor& own) { return cleaningUp(own, trace, 5s); };
        CHECK(react(reactor, program, {.patience = 4s}) == 1);
        CHECK(log.count("not ended in time") == 1);
        CHECK(trace == Trace{"cancelled"});
        CHECK_THROWS_AS(react(reactor, sleeping, {.patience = -1s}), std::invalid_argument);
    }
    // What it waited for ended with the reactor.
    CHECK(trace == Trace{"cancelled"});
}

TEST_CASE("S-189: a main that was given up keeps status 1, even when the loss of a connection ends it") {
    const LogCapture log;
    MemoryReactor reactor;
    Trace trace;
    const auto port = reactor.listenTCP(0, Factory::forProtocol<Silent>());
    reactor.callLater(1s, [&] { reactor.stop(); });
    const auto program = [&](Reactor& own) -> Deferred<void> {
        Stream conn = co_await connectStream(own, "127.0.0.1", port->getHost().port());
        for (int i = 0; i < 2; ++i) {
            Deferred<std::string> reading = conn.readSome();
            auto outcome = asResult(std::move(reading));
            const Result<std::string> read = co_await std::move(outcome);
            trace.push_back(read ? "end" : read.failure().name());
        }
    };
    CHECK(react(reactor, program, {.patience = 4s}) == 1);
    REQUIRE(trace.size() == 2); // the second read has ended with the connection
    CHECK(trace.front() == "CancelledError");
    CHECK(log.count("not ended in time") == 1);
}

TEST_CASE("L30 (S-189): main may stop the reactor itself, and it may have been stopped before main") {
    const LogCapture log;
    MemoryReactor reactor;
    CHECK(react(reactor, [](Reactor& own) { own.stop(); }) == 0);
    CHECK(react(reactor, [](Reactor& own) -> Deferred<void> {
              own.stop();
              co_await own.sleep(1h);
          }) == 0);
    CHECK(react(reactor, [](Reactor& own) -> Deferred<int> {
              co_await own.sleep(1s);
              own.stop();
              co_return 3;
          }) == 3);
    reactor.callWhenRunning([&] { reactor.stop(); });
    CHECK(react(reactor, sleeping) == 0);
    reactor.addSystemEventTrigger(EventPhase::Before, SystemEvent::Startup, [&] { reactor.stop(); });
    CHECK(react(reactor, sleeping) == 0);
    CHECK(log.count() == 0);
}

TEST_CASE("S-189: a crash ends react, and main with the reactor") {
    const LogCapture log;
    Trace trace;
    {
        MemoryReactor reactor;
        reactor.callLater(1s, [&] { reactor.crash(); });
        CHECK(react(reactor, [&](Reactor& own) -> Deferred<void> {
                  try {
                      co_await own.sleep(1h);
                  } catch (const CancelledError&) {
                      trace.push_back("cancelled");
                  }
              }) == 0);
        CHECK(trace.empty());
    }
    CHECK(trace == Trace{"cancelled"});
}

TEST_CASE("react inside a running reactor is refused") {
    MemoryReactor reactor;
    CHECK(react(reactor, [](MemoryReactor& own) {
              bool called = false;
              CHECK_THROWS_AS(react(own, [&](Reactor&) { called = true; }), ReactorAlreadyRunning);
              return called ? 1 : 0;
          }) == 0);
}

TEST_CASE("S-189: react makes a reactor of its own; its status is the program's") {
    CHECK(exitStatus([] {
              return react([](UvReactor& reactor) -> Deferred<int> {
                  co_await reactor.sleep(1ms);
                  co_return 42;
              });
          }) == 42);
    CHECK(exitStatus([] {
              const LogCapture log;
              return react([](Reactor&) { throw std::runtime_error("no"); });
          }) == 1);
    CHECK(exitStatus([] { return react([](Reactor&) { throw SystemExit(9); }); }) == 9);
}

TEST_CASE("S-189: the words of the command line are main's arguments") {
    const char* const argv[] = {"program", "--fast", "file", nullptr};
    std::vector<std::string> got;
    CHECK(react(3, argv, [&](Reactor& reactor, std::vector<std::string> words) -> Deferred<int> {
              co_await reactor.sleep(1ms);
              got = std::move(words);
              co_return 6;
          }) == 6);
    CHECK(got == std::vector<std::string>{"--fast", "file"});
    CHECK(react(0, argv,
                [](Reactor&, const std::vector<std::string>& words) { return static_cast<int>(words.size()); }) == 0);
}

TEST_CASE("S-189: a signal cancels main, which may clean up; the end is an orderly one") {
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
        CAPTURE(number);
        CHECK(exitStatus([number] {
                  Trace trace;
                  ::signal(number, SIG_DFL);
                  return react([&](Reactor& reactor) {
                      reactor.callLater(0s, [number] { ::kill(::getpid(), number); });
                      return cleaningUp(reactor, trace, 1ms);
                  });
              }) == 4);
        CHECK(exitStatus([number] {
                  ::signal(number, SIG_DFL);
                  return react([number](Reactor& reactor) {
                      reactor.callLater(0s, [number] { ::kill(::getpid(), number); });
                      return sleeping(reactor);
                  });
              }) == 0);
    }
}
