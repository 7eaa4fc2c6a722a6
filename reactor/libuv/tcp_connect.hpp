#pragma once

#include <reactor/core/channel.hpp>
#include <reactor/core/turn_core.hpp>
#include <reactor/failure.hpp>
#include <reactor/libuv/descriptor.hpp>
#include <reactor/libuv/descriptor_watch.hpp>
#include <reactor/libuv/loop_context.hpp>

#include <optional>

namespace torsion::uv {

/// One attempt to connect a TCP socket, as the core's Connecting: `socket`, the user's hook, `bind`, `connect`, and a
/// `uv_poll_t` that says when the kernel has decided.
///
/// What fails at once is told in the close phase, never inside the constructor. Owned by its race; destroying it
/// abandons the attempt and closes the socket.
class TcpConnect final : public core::Connecting, private Ready, private core::Closing {
public:
    /// Begins. Errors are told to `events`, whichever call they come from: ConnectBindError when `spec.local` cannot be
    /// bound, ConnectError naming it for an option of `spec.stream`, what the hook throws as it is, all else as
    /// `getConnectError` maps it (S-103).
    TcpConnect(LoopContext& context, const Address& address, const core::ConnectSpec& spec,
               core::ConnectEvents& events);

private:
    void begin(const core::ConnectSpec& spec);
    void failLater(Failure failure);
    void onReady(int status, int events) override;
    void onClosePhase() override;
    void fail(Failure failure);

    LoopContext& context_;
    core::ConnectEvents& events_;
    Address address_;
    Descriptor socket_; // closed after the watch, which is destroyed first
    std::optional<DescriptorWatch> watch_;
    Failure failure_; // waits for the close phase
};

} // namespace torsion::uv
