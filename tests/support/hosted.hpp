#pragma once

#include "support/hooked_protocol.hpp"
#include "support/kernel_buffers.hpp"

#include <reactor/embedding/poll.hpp>
#include <reactor/libuv/uv_reactor.hpp>

#include <doctest/doctest.h>

#include <poll.h>

#include <chrono>
#include <memory>
#include <utility>

namespace torsion::test {

inline constexpr EmbedOptions kEmbeddings[] = {{.singleDescriptor = false}, {.singleDescriptor = true}};

/// A reactor in a host that waits with poll.
struct Hosted {
    explicit Hosted(const EmbedOptions& options = {}) : host(reactor.embed(options)) {}

    Embedding& embedding() noexcept { return host.embedding(); }

    /// Turns of the host until `condition()` is true. Nothing is timed: the 20 s are for a test that would hang else.
    /// @returns false when they passed.
    template <class F>
    bool until(F&& condition) {
        using namespace std::chrono_literals;
        const auto limit = std::chrono::steady_clock::now() + 20s;
        while (!condition()) {
            if (std::chrono::steady_clock::now() > limit)
                return false;
            host.turn({}, 10ms);
        }
        return true;
    }

    /// Dispatches until the reactor has nothing left to do. @returns how often; 1000 when it does not come to rest.
    int settle() {
        int count = 0;
        while (count < 1000 && wakes()) {
            embedding().dispatch();
            ++count;
        }
        return count;
    }

    /// Whether a host that waits now would be woken at once.
    bool wakes() {
        if (embedding().timeout() == std::chrono::milliseconds(0))
            return true;
        return isReadable();
    }

    bool isReadable() {
        pollfd watched{embedding().fd(), POLLIN, 0};
        return ::poll(&watched, 1, 0) > 0;
    }

    UvReactor reactor;
    PollHost host;
};

/// Both ends of a connection on one hosted reactor, made.
struct HostedPair {
    explicit HostedPair(Hosted& hosted, ProtocolHooks serverHooks = {}, ProtocolHooks clientHooks = {})
        : server(std::make_shared<HookedProtocol>(std::move(serverHooks))),
          client(std::make_shared<HookedProtocol>(std::move(clientHooks))),
          port(hosted.reactor.listenTCP(0, HookedFactory::of(server), {.interface = "127.0.0.1"})),
          connector(hosted.reactor.connectTCP("127.0.0.1", port->getHost().port(), HookedFactory::of(client))) {
        REQUIRE(hosted.until([this] { return server->record->made != 0 && client->record->made != 0; }));
    }

    std::shared_ptr<HookedProtocol> server;
    std::shared_ptr<HookedProtocol> client;
    std::shared_ptr<ListeningPort> port;
    std::shared_ptr<Connector> connector;
};

/// Lets the reactor's time go on without a turn.
inline void work(Reactor& reactor, Duration span) {
    const TimePoint end = reactor.freshNow() + span;
    while (reactor.freshNow() < end) {
    }
}

/// Writes back whatever comes.
inline ProtocolHooks echoing() {
    return {.data = [](HookedProtocol& protocol) {
        protocol.transport->write(std::exchange(protocol.record->received, {}));
    }};
}

} // namespace torsion::test
