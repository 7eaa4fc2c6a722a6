#pragma once

#include <reactor/embedding/embedding.hpp>
#include <reactor/libuv/uv_reactor.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <optional>
#include <string>

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

} // namespace torsion::test
