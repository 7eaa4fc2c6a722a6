// Acceptance G5, G34: signals, which only the real reactor has.

#include "conformance/driver.hpp"
#include "conformance/scene.hpp"

#include <reactor/libuv/uv_reactor.hpp>

#include <array>
#include <chrono>
#include <csignal>
#include <future>
#include <optional>
#include <thread>

#include <unistd.h>

using namespace torsion;
using namespace torsion::test;
using namespace std::chrono_literals;

namespace {

volatile std::sig_atomic_t handled = 0;

void countSignal(int) {
    handled = handled + 1;
}

/// Handles a signal in its own way while it lives, as a program would that runs a reactor.
class SignalHandling {
public:
    SignalHandling(int number, void (*handler)(int)) : number_(number) {
        struct sigaction action {};
        action.sa_handler = handler;
        REQUIRE(::sigaction(number, &action, &before_) == 0);
    }
    SignalHandling(const SignalHandling&) = delete;
    SignalHandling& operator=(const SignalHandling&) = delete;
    ~SignalHandling() { ::sigaction(number_, &before_, nullptr); }

    /// Whether the signal is handled so now.
    bool is(void (*handler)(int)) const {
        struct sigaction action {};
        ::sigaction(number_, nullptr, &action);
        return action.sa_handler == handler;
    }

private:
    int number_;
    struct sigaction before_ {};
};

UvReactor& uvReactor(Driver& driver) {
    return dynamic_cast<UvReactor&>(driver.reactor());
}

void signalOnceRunning(Driver& driver, int number) {
    driver.reactor().callWhenRunning([number] { ::kill(::getpid(), number); });
}

constexpr std::array kStopping{SIGINT, SIGTERM, SIGHUP};

} // namespace

ALONE_CASE("G5 (S-114): signals are handled from the during-startup phase until run() returns") {
    for (const int number : kStopping) {
        CAPTURE(number);
        const SignalHandling handling(number, SIG_DFL);
        Reactor& reactor = driver.reactor();
        reactor.addSystemEventTrigger(EventPhase::Before, SystemEvent::Startup, [&] { CHECK(handling.is(SIG_DFL)); });
        reactor.addSystemEventTrigger(EventPhase::During, SystemEvent::Startup,
                                      [&] { CHECK_FALSE(handling.is(SIG_DFL)); });
        reactor.addSystemEventTrigger(EventPhase::After, SystemEvent::Shutdown,
                                      [&] { CHECK_FALSE(handling.is(SIG_DFL)); });
        reactor.callWhenRunning([&] { reactor.stop(); });
        runReactor(driver);
        CHECK(handling.is(SIG_DFL));
    }
}

ALONE_CASE("G5: a handler of the program's own is back when run() returns, after a crash too") {
    const SignalHandling handling(SIGTERM, &countSignal);
    Reactor& reactor = driver.reactor();
    reactor.callWhenRunning([&] {
        CHECK_FALSE(handling.is(&countSignal));
        reactor.crash();
    });
    runReactor(driver);
    CHECK(handling.is(&countSignal));
}

ALONE_CASE("G34 (S-126): SIGINT, SIGTERM and SIGHUP stop the reactor in order, and it remembers which") {
    for (const int number : kStopping) {
        CAPTURE(number);
        const SignalHandling handling(number, SIG_DFL);
        bool before = false;
        driver.reactor().addSystemEventTrigger(EventPhase::Before, SystemEvent::Shutdown, [&] { before = true; });
        signalOnceRunning(driver, number);
        runReactor(driver);
        CHECK(before);
        CHECK(uvReactor(driver).stoppedBySignal() == number);
    }
}

ALONE_CASE("G34: a reactor that was stopped without a signal remembers none") {
    const SignalHandling handling(SIGTERM, SIG_DFL);
    signalOnceRunning(driver, SIGTERM);
    runReactor(driver);
    CHECK(uvReactor(driver).stoppedBySignal() == SIGTERM);
    driver.reactor().callWhenRunning([&] { driver.reactor().stop(); });
    runReactor(driver);
    CHECK_FALSE(uvReactor(driver).stoppedBySignal().has_value());
}

ALONE_CASE("G34: a second signal while the reactor stops changes nothing") {
    const SignalHandling handling(SIGTERM, SIG_DFL);
    Promise<void> done;
    Reactor& reactor = driver.reactor();
    reactor.addSystemEventTrigger(EventPhase::Before, SystemEvent::Shutdown, [&] {
        ::kill(::getpid(), SIGTERM);
        reactor.callLater(1ms, [&] { done.callback(); });
        return done.deferred();
    });
    signalOnceRunning(driver, SIGTERM);
    runReactor(driver);
    CHECK(uvReactor(driver).stoppedBySignal() == SIGTERM);
}

ALONE_CASE("S-126: handlers of the program's own for SIGINT and SIGHUP are left alone") {
    for (const int number : {SIGINT, SIGHUP}) {
        CAPTURE(number);
        const SignalHandling handling(number, &countSignal);
        handled = 0;
        signalOnceRunning(driver, number);
        driver.reactor().callLater(1ms, [&] {
            CHECK(handling.is(&countSignal));
            driver.reactor().stop();
        });
        runReactor(driver);
        CHECK(handled == 1);
        CHECK_FALSE(uvReactor(driver).stoppedBySignal().has_value());
    }
}

ALONE_CASE("a SIGHUP that the process ignores, as under nohup, stays ignored") {
    const SignalHandling handling(SIGHUP, SIG_IGN);
    signalOnceRunning(driver, SIGHUP);
    driver.reactor().callLater(1ms, [&] {
        CHECK(handling.is(SIG_IGN));
        driver.reactor().stop();
    });
    runReactor(driver);
    CHECK(handling.is(SIG_IGN));
    CHECK_FALSE(uvReactor(driver).stoppedBySignal().has_value());
}

ALONE_CASE("SIGPIPE is ignored while the reactor runs where its handling was the default, and is restored") {
    const SignalHandling handling(SIGPIPE, SIG_DFL);
    driver.reactor().callWhenRunning([&] {
        CHECK(handling.is(SIG_IGN));
        driver.reactor().stop();
    });
    runReactor(driver);
    CHECK(handling.is(SIG_DFL));
}

ALONE_CASE("a SIGPIPE handler of the program's own is left alone") {
    const SignalHandling handling(SIGPIPE, &countSignal);
    driver.reactor().callWhenRunning([&] {
        CHECK(handling.is(&countSignal));
        driver.reactor().stop();
    });
    runReactor(driver);
    CHECK(handling.is(&countSignal));
}

TEST_CASE("a reactor that is told not to handle signals touches none") {
    UvReactor reactor({.handleSignals = false});
    const SignalHandling interrupt(SIGINT, SIG_DFL);
    const SignalHandling terminate(SIGTERM, SIG_DFL);
    const SignalHandling pipe(SIGPIPE, SIG_DFL);
    reactor.callWhenRunning([&] {
        CHECK(interrupt.is(SIG_DFL));
        CHECK(terminate.is(SIG_DFL));
        CHECK(pipe.is(SIG_DFL));
        reactor.stop();
    });
    reactor.run();
}

namespace {

/// A reactor on a thread of its own, which runs from the constructor's end until it is stopped.
class ReactorThread {
public:
    ReactorThread() {
        std::promise<Remote> running;
        thread_ = std::thread([&] {
            UvReactor reactor;
            reactor.callWhenRunning([&] {
                reactor_ = &reactor;
                running.set_value(reactor.remote());
            });
            reactor.run();
            signal_ = reactor.stoppedBySignal();
        });
        remote_ = running.get_future().get();
    }
    ReactorThread(const ReactorThread&) = delete;
    ReactorThread& operator=(const ReactorThread&) = delete;
    ~ReactorThread() {
        if (thread_.joinable())
            stop();
    }

    void stop() {
        remote_.post([this] { reactor_->stop(); });
        wait();
    }

    /// @returns the signal that ended it.
    std::optional<int> wait() {
        thread_.join();
        return signal_;
    }

private:
    UvReactor* reactor_ = nullptr;
    Remote remote_;
    std::optional<int> signal_;
    std::thread thread_;
};

} // namespace

TEST_CASE("G5: of two reactors on two threads the last one restores the program's handling, whichever ends first") {
    const SignalHandling terminate(SIGTERM, &countSignal);
    const SignalHandling interrupt(SIGINT, SIG_DFL);
    const SignalHandling pipe(SIGPIPE, SIG_DFL);
    for (const bool firstEndsFirst : {true, false}) {
        ReactorThread first;
        ReactorThread second;
        (firstEndsFirst ? first : second).stop();
        CHECK_FALSE(terminate.is(&countSignal));
        CHECK_FALSE(interrupt.is(SIG_DFL));
        CHECK(pipe.is(SIG_IGN));
        ::kill(::getpid(), SIGINT); // the other one still hears of it
        CHECK((firstEndsFirst ? second : first).wait() == SIGINT);
        CHECK(terminate.is(&countSignal));
        CHECK(interrupt.is(SIG_DFL));
        CHECK(pipe.is(SIG_DFL));
    }
}

TEST_CASE("G34: a signal stops all reactors of the process") {
    const SignalHandling terminate(SIGTERM, &countSignal);
    ReactorThread first;
    ReactorThread second;
    ::kill(::getpid(), SIGTERM);
    CHECK(first.wait() == SIGTERM);
    CHECK(second.wait() == SIGTERM);
    CHECK(terminate.is(&countSignal));
}

TEST_CASE("G5: of reactors that run one after the other each restores the program's handling") {
    const SignalHandling terminate(SIGTERM, &countSignal);
    for (int round = 0; round < 2; ++round) {
        ReactorThread reactor;
        CHECK_FALSE(terminate.is(&countSignal));
        reactor.stop();
        CHECK(terminate.is(&countSignal));
    }
}
