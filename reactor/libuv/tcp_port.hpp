#pragma once

#include <reactor/core/channel.hpp>
#include <reactor/libuv/descriptor.hpp>
#include <reactor/libuv/descriptor_watch.hpp>

#include <chrono>
#include <optional>

namespace torsion::uv {

/// A listening TCP socket as the core's Acceptor: `socket`, `bind`, `listen` and `accept4` of our own.
///
/// (`uv_listen` accepts one connection per callback, and when descriptors run out it hides the error or calls back for
/// ever.) When no descriptor is left, a reserve one is closed to accept and close what waits, so that peers are told at
/// once and the loop does not spin; then accepting rests for `kRest`. The same rest follows when the kernel has no
/// memory.
class TcpPort final : public core::Acceptor, private Ready {
public:
    /// How long accepting rests when descriptors or memory ran out.
    static constexpr std::chrono::milliseconds kRest{100};

    /// @throws CannotListenError
    TcpPort(LoopContext& context, const core::ListenSpec& spec, core::AcceptEvents& events);
    ~TcpPort() override;

    const Address& host() const noexcept override { return host_; }
    void startAccepting() override;
    void stopAccepting() override;

private:
    void onReady(int status, int events) override;
    bool acceptOne();
    bool acceptFailed(int error);
    void turnAway();
    void rest();
    void reserve() noexcept;

    LoopContext& context_;
    core::AcceptEvents& events_;
    int budget_;
    int batch_ = 1; // accepts tried for one event: as many as came last time, more while all were used
    Descriptor socket_;
    Descriptor reserve_;
    std::optional<DescriptorWatch> watch_;
    Address host_;
    ScopedCall resting_;
    bool* gone_ = nullptr; // set when this object is destroyed inside its event
    bool accepting_ = false;
    bool complained_ = false; // running out is logged once, until an accept works again
};

} // namespace torsion::uv
