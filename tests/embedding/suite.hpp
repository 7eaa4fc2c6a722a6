#pragma once

#include "embedding/host.hpp"
#include "support/hooked_protocol.hpp"

#include <reactor/embedding/embedding.hpp>
#include <reactor/function.hpp>
#include <reactor/libuv/uv_reactor.hpp>
#include <reactor/listening_port.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

// The cases of the suite, which are written once over a Host:
//
//     HOST_CASE("a timer that a host's callback sets is seen (H2)") {
//         bool called = false;
//         host.after(1ms, [&] { reactor.callLater(1ms, [&] { called = true; }); });
//         scene.until([&] { return called; });
//     }
//
// They never sleep; what must not happen is shown by something later that does, or by `settle`.

namespace torsion::test {

/// A host with a reactor inside. Made anew for each case and kind of host.
struct HostScene {
    /// @param budget of each dispatch.
    explicit HostScene(const HostKind& itsKind, std::chrono::microseconds budget = {});
    HostScene(const HostScene&) = delete;
    HostScene& operator=(const HostScene&) = delete;

    /// Adapter, reactor, host.
    ~HostScene();

    /// Runs the host's loop until `condition()` holds. When that takes a minute the case fails, and ends.
    void until(CallableRef<bool()> condition);

    /// Runs the host's loop until whatever is under way on this machine has happened: a few host timers and timed calls
    /// one after the other.
    void settle();

    /// Makes the adapter, which is there at the beginning, and destroys it.
    void attach();
    void detach();

    /// Destroys the adapter, and the reactor.
    void destroyReactor();

    /// Of the adapter, so far.
    std::uint64_t dispatches() const { return embedding ? embedding->dispatches() : 0; }

    /// Listens on a port of the kernel's choice.
    std::shared_ptr<ListeningPort> listen(std::shared_ptr<Factory> factory);

    /// A port that writes back whatever comes.
    std::shared_ptr<ListeningPort> listenEcho();

    const HostKind& kind;
    std::unique_ptr<Host> host;
    std::unique_ptr<UvReactor> reactor;
    std::optional<Embedding> embedding; ///< none where there is no adapter
    bool attached = false;              ///< there is one now
};

/// Both ends of a connection on one reactor, made.
struct HostPair {
    explicit HostPair(HostScene& scene, ProtocolHooks serverHooks = {}, ProtocolHooks clientHooks = {});

    std::shared_ptr<HookedProtocol> server;
    std::shared_ptr<HookedProtocol> client;
    std::shared_ptr<ListeningPort> port;
    std::shared_ptr<Connector> connector;
};

/// A pipe, for a host to watch.
class EventPipe {
public:
    EventPipe();
    EventPipe(const EventPipe&) = delete;
    EventPipe& operator=(const EventPipe&) = delete;
    ~EventPipe();

    /// What `Host::watch` gets.
    int descriptor() const noexcept { return ends_[0]; }

    void send();
    void take();

private:
    int ends_[2] = {-1, -1};
};

/// What is the matter with a host's loop: it dispatches more often than a loop does that waits.
/// @param since when the host had dispatched `before` times.
bool spins(const HostScene& scene, std::uint64_t before, std::chrono::steady_clock::time_point since);

enum class RunHosts { All, Embedding };

void runOnHosts(RunHosts which, std::chrono::microseconds budget, void (*body)(HostScene&));

} // namespace torsion::test

#define TORSION_HOST_CASE(function, which, budget, name)                                                               \
    static void function(torsion::test::HostScene& scene, torsion::test::Host& host, torsion::UvReactor& reactor);     \
    TEST_CASE(name) {                                                                                                  \
        torsion::test::runOnHosts(                                                                                     \
            which, budget, [](torsion::test::HostScene& scene) { function(scene, *scene.host, *scene.reactor); });     \
    }                                                                                                                  \
    static void function([[maybe_unused]] torsion::test::HostScene& scene, [[maybe_unused]] torsion::test::Host& host, \
                         [[maybe_unused]] torsion::UvReactor& reactor)

/// A case that runs in every host. Its body sees `scene`, `host` and `reactor`.
#define HOST_CASE(name)                                                                                                \
    TORSION_HOST_CASE(DOCTEST_ANONYMOUS(hostCase), torsion::test::RunHosts::All, std::chrono::microseconds(0), name)

/// A case about an adapter: in every host that has one.
#define ADAPTER_CASE(name)                                                                                             \
    TORSION_HOST_CASE(DOCTEST_ANONYMOUS(adapterCase), torsion::test::RunHosts::Embedding,                              \
                      std::chrono::microseconds(0), name)

/// The same, whose dispatches end after one callback each.
#define BUDGET_CASE(name)                                                                                              \
    TORSION_HOST_CASE(DOCTEST_ANONYMOUS(budgetCase), torsion::test::RunHosts::Embedding, std::chrono::microseconds(1), \
                      name)
