// A host that does not come round to dispatch.

#include "support/hosted.hpp"
#include "support/log_capture.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

using namespace std::chrono_literals;
using namespace torsion;
using namespace torsion::test;

namespace {

constexpr const char* kReport = "has not dispatched";

constexpr EmbedOptions kImpatient[] = {{.patience = 1ms}, {.singleDescriptor = true, .patience = 1ms}};

/// How often it has been late. Asked first, for the machine may be busy elsewhere for as long as these bear.
std::uint64_t timesLate(Hosted& hosted) {
    return hosted.embedding().timesLate();
}

/// Longer than these bear.
void wait(Hosted& hosted) {
    work(hosted.reactor, 2ms);
}

} // namespace

TEST_CASE("a host that does not dispatch is reported once, when the program next begins something") {
    for (const EmbedOptions& options : kImpatient) {
        Hosted hosted(options);
        hosted.settle();
        const LogCapture log;
        const std::uint64_t before = timesLate(hosted);
        hosted.reactor.callLater(0ms, [] {});
        CHECK(timesLate(hosted) == before);
        wait(hosted);
        hosted.reactor.start(); // or whatever else it begins
        CHECK(timesLate(hosted) == before + 1);
        CHECK(log.count(kReport) == 1);
        CHECK(log.contains("timed calls"));
        CHECK(log.contains("descriptor " + std::to_string(hosted.embedding().fd())));
        wait(hosted);
        hosted.reactor.stop();
        hosted.embedding().timeout();
        hosted.embedding().dispatch();
        CHECK(timesLate(hosted) == before + 1);
    }
}

TEST_CASE("a host whose time is longer than any clock counts is never late") {
    Hosted hosted({.patience = std::chrono::milliseconds::max()});
    hosted.settle();
    hosted.reactor.callLater(0ms, [] {});
    wait(hosted);
    hosted.embedding().timeout();
    hosted.embedding().dispatch();
    CHECK(timesLate(hosted) == 0);
}

TEST_CASE("a host that does not dispatch is reported when it asks for the time-out, dispatches late, or loses it") {
    enum class When { Asks, Dispatches, Ends };
    for (const EmbedOptions& options : kImpatient) {
        for (const When when : {When::Asks, When::Dispatches, When::Ends}) {
            const LogCapture log;
            auto hosted = std::make_unique<Hosted>(options);
            Embedding embedding = hosted->embedding();
            const HostedPair pair(*hosted);
            hosted->settle();
            const std::uint64_t before = embedding.timesLate(); // the machine may have been busy
            pair.client->transport->write("x");
            wait(*hosted);
            if (when == When::Asks)
                embedding.timeout();
            if (when == When::Dispatches)
                embedding.dispatch();
            if (when == When::Ends)
                hosted.reset();
            CHECK(embedding.timesLate() == before + 1);
            CHECK(log.contains("writes or ends of connections"));
        }
    }
}

TEST_CASE("a host that lets the time pass that timeout() or its timer told it is reported") {
    for (const EmbedOptions& options : kImpatient) {
        const LogCapture log;
        Hosted hosted(options);
        hosted.settle();
        const std::uint64_t before = timesLate(hosted);
        hosted.reactor.callLater(1ms, [] {});
        hosted.embedding().timeout();
        work(hosted.reactor, 1ms);
        wait(hosted);
        hosted.embedding().timeout();
        CHECK(timesLate(hosted) == before + 1);
        CHECK(log.contains("timed calls"));
    }
}

TEST_CASE("a host that does not take calls from threads is reported by whoever posts the next one, once") {
    for (const EmbedOptions& options : kImpatient) {
        Hosted hosted(options);
        hosted.settle();
        const LogCapture log;
        std::uint64_t before = timesLate(hosted);
        const auto post = [&] { std::thread([remote = hosted.reactor.remote()] { remote.post([] {}); }).join(); };
        post();
        wait(hosted);
        CHECK(timesLate(hosted) == before);
        post();
        CHECK(timesLate(hosted) == before + 1);
        CHECK(log.count(kReport) == 1);
        CHECK(log.contains("2 calls from threads"));
        post();
        CHECK(timesLate(hosted) == before + 1);
        hosted.settle();
        before = timesLate(hosted);
        post();
        wait(hosted);
        post();
        CHECK(timesLate(hosted) == before + 1);
        hosted.settle();
    }
}

TEST_CASE("a host that had nothing to do is not late, however long it waits") {
    for (const EmbedOptions& options : kImpatient) {
        Hosted hosted(options);
        const HostedPair pair(hosted);
        DelayedCall call = hosted.reactor.callLater(1h, [] {});
        hosted.settle();
        const std::uint64_t before = timesLate(hosted);
        wait(hosted);
        hosted.reactor.callLater(2h, [] {});
        hosted.embedding().timeout();
        call.cancel();
        wait(hosted);
        hosted.embedding().timeout();
        hosted.embedding().dispatch();
        CHECK(timesLate(hosted) == before);
    }
}

TEST_CASE("a call that was cancelled, or put off, in time makes no host late") {
    for (const EmbedOptions& options : kImpatient) {
        Hosted hosted(options);
        hosted.settle();
        DelayedCall cancelled = hosted.reactor.callLater(0ms, [] {});
        cancelled.cancel();
        DelayedCall late = hosted.reactor.callLater(0ms, [] {});
        late.reset(1h);
        const std::uint64_t before = timesLate(hosted);
        wait(hosted);
        hosted.embedding().dispatch();
        hosted.embedding().timeout();
        CHECK(timesLate(hosted) == before);
    }
}

TEST_CASE("a slow callback is not the host's fault") {
    for (const EmbedOptions& options : kImpatient) {
        Hosted hosted(options);
        hosted.settle();
        std::uint64_t before = 0;
        bool called = false;
        hosted.reactor.callFromThread([&] {
            before = timesLate(hosted);
            hosted.reactor.callLater(0ms, [] {});
            wait(hosted);
            hosted.reactor.callLater(0ms, [] {});
            called = true;
        });
        hosted.embedding().dispatch();
        CHECK(called);
        CHECK(timesLate(hosted) == before);
        hosted.settle();
    }
}

TEST_CASE("patience is 5 s by default, none of 0 ends, and a negative one is refused") {
    CHECK(EmbedOptions().patience == 5s);
    UvReactor reactor;
    CHECK_THROWS_AS(reactor.embed({.patience = -1ms}), std::invalid_argument);
    Hosted hosted({.patience = 0ms});
    hosted.settle();
    hosted.reactor.callLater(0ms, [] {});
    hosted.reactor.callFromThread([] {});
    wait(hosted);
    hosted.embedding().touch();
    hosted.reactor.callFromThread([] {});
    hosted.settle();
    CHECK(timesLate(hosted) == 0);
}
