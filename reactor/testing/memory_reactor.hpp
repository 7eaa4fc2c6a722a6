#pragma once

#include <reactor/core/reactor_core.hpp>
#include <reactor/testing/fault_injector.hpp>
#include <reactor/testing/memory_network.hpp>
#include <reactor/testing/script_resolver.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <type_traits>

namespace torsion::testing {

namespace detail {
struct MemoryHost;
}

/// How a MemoryReactor is made.
struct MemoryReactorOptions {
    std::uint64_t seed = 1; ///< of `random()` and `secureRandom()`

    /// Wall-clock time that a wait for other threads takes at most. Calls of the thread pool are waited for before
    /// time goes on. `run()` waits for calls from threads also when nothing else can happen; then it logs an error and
    /// returns, as after `crash()`.
    std::chrono::milliseconds maxIdle{10'000};
};
static_assert(std::is_trivially_destructible_v<MemoryReactorOptions>);

static_assert(std::is_trivially_destructible_v<MemoryReactorOptions>);

/// A reactor without an operating system: connections are pipes in memory, time is a number. All behaviour is that of
/// the real reactor, because it is the same core; errors and addresses are those of Linux' loopback. So a protocol can
/// be tested without a port, without a sleep, and with the same outcome every time.
///
/// @code
/// MemoryReactor reactor;
/// auto port = reactor.listenTCP(0, Factory::forProtocol<Echo>());
/// reactor.connectTCP("localhost", port->getHost().port(), clientFactory);
/// CHECK(reactor.runUntil([&] { return client.done; }));
/// reactor.advance(30s); // idle time-outs pass at once
/// @endcode
///
/// It has no signals, no descriptors (`TcpTransport::socketDescriptor()` is -1, `configureSocket` is called with -1)
/// and no secrets (`secureRandom()` follows from the seed). Time stands still while user code runs, on the thread pool
/// too, unless that waits for the reactor: a stop gives up a call that merely blocks after `maxIdle`, if that is longer
/// than `stopTimeout`. One thread; other threads may use `remote()`. Not to be destroyed in one of its own callbacks.
class MemoryReactor final : public core::ReactorCore {
public:
    /// On a network of its own.
    explicit MemoryReactor(const MemoryReactorOptions& options = {});

    /// On a network that it shares.
    explicit MemoryReactor(std::shared_ptr<MemoryNetwork> network, const MemoryReactorOptions& options = {});
    ~MemoryReactor() override;

    MemoryNetwork& network() noexcept { return *network_; }

    /// Makes operations of this reactor fail.
    FaultInjector& faults() noexcept;

    /// The names that this reactor can look up; valid until `setResolver` is called.
    ScriptResolver& names() noexcept { return *names_; }

    /// @name Turns and time; those of the whole network (see there)
    /// @{
    void settle() { network_->settle(); }
    template <class Rep, class Period>
    void advance(std::chrono::duration<Rep, Period> span) {
        network_->advance(toDuration(span));
    }
    [[nodiscard]] bool runUntil(CallableRef<bool()> condition, Duration limit = std::chrono::hours(1)) {
        return network_->runUntil(condition, limit);
    }
    /// @}

    /// Whether a turn now would do something.
    bool hasWork();

    /// Whether one of its turns is on the stack.
    bool isTurning() const noexcept { return inside(); }

    /// Where calls of the thread pool run, waits until one has ended or has something for the reactor.
    /// @returns whether there may be something to do now.
    bool waitForPool();

    /// When its next delayed call is due.
    std::optional<TimePoint> nextEvent();

    // Clock
    std::chrono::system_clock::time_point wall() const override;

    // Reactor
    Random& secureRandom() override { return secureRandom_; }
    std::unique_ptr<Resolver> setResolver(std::unique_ptr<Resolver> resolver) override;

    // For the core
    std::unique_ptr<core::Acceptor> openAcceptor(const core::ListenSpec& spec, core::AcceptEvents& events) override;
    std::unique_ptr<core::Connecting> beginConnecting(const Address& address, const core::ConnectSpec& spec,
                                                      core::ConnectEvents& events) override;

    /// For what lives on it: its part of the network.
    const std::shared_ptr<detail::MemoryHost>& host() const noexcept { return host_; }

private:
    struct Wake;

    MemoryReactor(std::shared_ptr<MemoryNetwork> network, const MemoryReactorOptions& options,
                  std::shared_ptr<Wake> wake);

    void runTurns() override;
    void runOneTurn(Duration wait) override;
    void interrupt() noexcept override {}
    TimePoint readClock() const noexcept override { return network_->now(); }
    void touched() noexcept override {}
    bool waitForThreads();

    std::shared_ptr<MemoryNetwork> network_;
    std::shared_ptr<Wake> wake_;
    std::shared_ptr<detail::MemoryHost> host_;
    ScriptResolver* names_ = nullptr; // owned by the core
    SeededRandom secureRandom_;
    std::chrono::milliseconds maxIdle_;
};

} // namespace torsion::testing
