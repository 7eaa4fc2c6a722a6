#pragma once

#include <reactor/core/channel.hpp>
#include <reactor/failure.hpp>
#include <reactor/testing/detail/memory_host.hpp>
#include <reactor/testing/detail/port_table.hpp>

#include <memory>

namespace torsion::testing::detail {

/// A listening port in memory.
class MemoryAcceptor final : public core::Acceptor, private MemoryReady {
public:
    /// @throws CannotListenError, and what `configureSocket` throws.
    MemoryAcceptor(std::shared_ptr<MemoryHost> home, const core::ListenSpec& spec, core::AcceptEvents& events);
    ~MemoryAcceptor() override;

    const Address& host() const noexcept override { return listener_->host; }
    void startAccepting() override;
    void stopAccepting() override { accepting_ = false; }

private:
    void onReady() override;

    core::AcceptEvents& events_;
    std::shared_ptr<Listener> listener_;
    int budget_;
    bool accepting_ = false;
};

/// An attempt to connect in memory. It is decided in the next turn, or when the backlog it waits for has room.
class MemoryConnecting final : public core::Connecting, private MemoryReady {
public:
    MemoryConnecting(std::shared_ptr<MemoryHost> home, const Address& address, const core::ConnectSpec& spec,
                     core::ConnectEvents& events);
    ~MemoryConnecting() override;

private:
    void onReady() override;
    int bindLocal();
    void reach(const std::shared_ptr<Listener>& listener);

    core::ConnectEvents& events_;
    Address target_;
    Address local_;
    StreamOptions stream_;
    Failure failure_; // what went wrong at once, until it is told
    bool bound_ = false;
};

} // namespace torsion::testing::detail
