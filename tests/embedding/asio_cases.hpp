#pragma once

#include <reactor/embedding/detail/asio_adapter.hpp>
#include <reactor/embedding/embedding.hpp>
#include <reactor/libuv/uv_reactor.hpp>

#include "support/log_capture.hpp"

#include <doctest/doctest.h>

#include <fcntl.h>

#include <chrono>
#include <new>
#include <optional>
#include <string>
#include <utility>

// What Asio's adapters promise besides what the suite asks of every host. `Asio` has the names of one of the two
// namespaces.

namespace torsion::test {

template <class Asio>
void checkRunReturns() {
    typename Asio::Io io;
    UvReactor reactor;
    std::optional<typename Asio::Adapter> inside(std::in_place, reactor.embed(), io);
    reactor.onStopped([&] { inside.reset(); });
    reactor.callWhenRunning([&] { reactor.stop(); });
    reactor.start();
    io.run();
    CHECK_FALSE(inside);
    CHECK(io.stopped());
}

template <class Asio>
void checkHostGoesFirst() {
    UvReactor reactor;
    Embedding embedding = reactor.embed();
    bool called = false;
    reactor.callLater(std::chrono::milliseconds(1), [&] { called = true; });
    std::optional<typename Asio::Adapter> inside;
    {
        typename Asio::Io io;
        inside.emplace(embedding, io);
    }
    inside->refresh();
    reactor.callLater(std::chrono::milliseconds(2), [] {});
    typename Asio::Io other;
    typename Asio::Adapter second(embedding, other);
    while (!called)
        other.run_one();
    inside.reset();
}

template <class Asio>
void checkHandlersOutliveAdapter() {
    typename Asio::Io io;
    UvReactor reactor;
    Embedding embedding = reactor.embed();
    {
        const typename Asio::Adapter inside(embedding, io);
        reactor.callLater(std::chrono::milliseconds(1), [] {});
    }
    CHECK(io.run() > 0); // the two that were waiting
    CHECK(embedding.dispatches() == 0);
}

template <class Asio>
void checkStrand() {
    typename Asio::Io io;
    typename Asio::Strand strand(io.get_executor());
    UvReactor reactor;
    typename Asio::Adapter inside(reactor.embed(), strand);
    int inStrand = 0;
    for (int i = 0; i < 3; ++i)
        reactor.callLater(std::chrono::milliseconds(i), [&] { inStrand += strand.running_in_this_thread() ? 1 : 0; });
    bool done = false;
    reactor.callFromThread([&] { done = strand.running_in_this_thread(); });
    while (inStrand < 3 || !done)
        io.run_one();
}

/// Asio out of memory: waits throw, so many times.
template <class Policy>
struct FailingAsio : Policy {
    template <class Waiting>
    struct Failing : Waiting {
        using Waiting::Waiting;

        template <class... Args>
        void async_wait(Args&&... args) {
            if (failures > 0) {
                --failures;
                throw std::bad_alloc();
            }
            Waiting::async_wait(std::forward<Args>(args)...);
        }

        static inline int failures = 0;
    };

    using Descriptor = Failing<typename Policy::Descriptor>;
    using Timer = Failing<typename Policy::Timer>;
};

template <class Policy>
struct FailingAsioAdapter final : detail::BasicAsioAdapter<FailingAsio<Policy>> {
    FailingAsioAdapter(Embedding embedding, const typename Policy::Executor& executor)
        : detail::BasicAsioAdapter<FailingAsio<Policy>>(std::move(embedding), executor) {}
};

template <class Asio, class Policy>
void checkFailingConstructor() {
    using Failing = FailingAsio<Policy>;
    UvReactor reactor;
    Embedding embedding = reactor.embed();
    bool called = false;
    {
        typename Asio::Io io;
        Failing::Descriptor::failures = 1;
        CHECK_THROWS_AS(FailingAsioAdapter<Policy>(embedding, io.get_executor()), std::bad_alloc);
        CHECK(::fcntl(embedding.fd(), F_GETFD) >= 0);
        reactor.callFromThread([&] { called = true; });
    }
    typename Asio::Io io;
    const FailingAsioAdapter<Policy> inside(embedding, io.get_executor());
    while (!called)
        REQUIRE(io.run_one_for(std::chrono::minutes(1)) == 1);
}

template <class Asio, class Policy>
void checkWaitsAreTriedAgain() {
    using Failing = FailingAsio<Policy>;
    LogCapture log;
    typename Asio::Io io;
    UvReactor reactor;
    FailingAsioAdapter<Policy> inside(reactor.embed(), io.get_executor());
    int calls = 0;
    Failing::Timer::failures = 1;
    reactor.callLater(std::chrono::milliseconds(20), [&] { ++calls; });
    CHECK(log.text().find("timed calls are late") != std::string::npos);
    inside.refresh();
    while (calls == 0)
        REQUIRE(io.run_one_for(std::chrono::minutes(1)) == 1);
    Failing::Descriptor::failures = 1;
    reactor.callFromThread([&] { ++calls; });
    while (calls == 1)
        REQUIRE(io.run_one_for(std::chrono::minutes(1)) == 1);
    CHECK(log.text().find("connections are late") != std::string::npos);
    reactor.callFromThread([&] { ++calls; });
    while (calls == 2)
        REQUIRE(io.run_one_for(std::chrono::minutes(1)) == 1);
}

} // namespace torsion::test
