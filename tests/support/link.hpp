#pragma once

#include "support/hooked_protocol.hpp"
#include "support/kernel_buffers.hpp"
#include "support/run_until.hpp"

#include <reactor/libuv/uv_reactor.hpp>

#include <memory>
#include <utility>

namespace torsion::test {

inline constexpr Dispatch kDispatches[] = {Dispatch::Direct, Dispatch::TwoPhase};

/// Buffers that a megabyte fills; for `configureSocket`.
inline void useSmallBuffers(int fd) {
    setKernelBuffers(fd, 16 * 1024);
}

/// Both ends of a connection over small buffers, on one reactor.
struct Link {
    explicit Link(HookedProtocol::Hooks serverHooks = {}, HookedProtocol::Hooks clientHooks = {},
                  Dispatch dispatch = Dispatch::Direct)
        : Link(std::make_shared<HookedProtocol>(std::move(serverHooks)),
               std::make_shared<HookedProtocol>(std::move(clientHooks)), dispatch) {
        untilMade();
    }

    /// Begins to connect; turns have to be run.
    Link(std::shared_ptr<HookedProtocol> itsServer, std::shared_ptr<HookedProtocol> itsClient, Dispatch dispatch)
        : server(std::move(itsServer)), client(std::move(itsClient)), serverRecord(server->record),
          clientRecord(client->record), clientFactory(HookedFactory::of(client)),
          reactor(ReactorOptions{.dispatch = dispatch}) {
        port = reactor.listenTCP(0, HookedFactory::of(server),
                                 {.interface = "127.0.0.1", .configureSocket = useSmallBuffers});
        reactor.connectTCP("127.0.0.1", port->getHost().port(), clientFactory, {.configureSocket = useSmallBuffers});
    }

    bool untilMade() {
        return runUntil(reactor, [this] { return serverRecord->made != 0 && clientRecord->made != 0; });
    }
    bool untilLost() {
        return runUntil(reactor, [this] { return serverRecord->lost != 0 && clientRecord->lost != 0; });
    }

    std::shared_ptr<HookedProtocol> server;
    std::shared_ptr<HookedProtocol> client;
    std::shared_ptr<Record> serverRecord;
    std::shared_ptr<Record> clientRecord;
    std::shared_ptr<HookedFactory> clientFactory;
    std::shared_ptr<ListeningPort> port;
    UvReactor reactor;
};

} // namespace torsion::test
