#pragma once

#include <reactor/core/channel.hpp>
#include <reactor/detail/pooled.hpp>
#include <reactor/libuv/descriptor.hpp>
#include <reactor/libuv/descriptor_watch.hpp>

namespace torsion::uv {

/// A connected TCP socket as the core's Channel: `recv` and `send` of our own, and a `uv_poll_t` that says when.
///
/// (A `uv_tcp_t` would read for us, but could say that a socket is writable only through a `uv_write`, which costs an
/// `epoll_ctl` pair even when everything goes out; and it reports nothing at all while reading is off.)
///
/// While reading is off only errors and hang-ups are watched for. Turning reading off costs nothing until input comes.
class SocketChannel final : public torsion::detail::Pooled<SocketChannel>,
                            public core::Channel,
                            public TcpTransport,
                            private Ready {
public:
    /// Takes over a connected, non-blocking socket whose options are set. Reading is off.
    /// @throws std::system_error when it cannot be watched; the socket is closed then.
    /// @param host where the port listens that accepted it: our address unless that is a wildcard; none when we
    /// connected.
    static core::ChannelPtr make(LoopContext& context, Descriptor&& socket, const Address& host = Address::none());

    // Channel
    void attach(core::ChannelEvents& events) override { events_ = &events; }
    core::ReceiveResult receive() override;
    core::SendResult trySend(std::span<const std::string_view> buffers) override;
    void armWritable() override;
    void startRead() override;
    void stopRead() override { reading_ = false; } // what is watched changes when input comes, or never
    void shutdownWrite() override;
    std::size_t unacknowledged() const override;
    void end(core::CloseMode mode) override;
    Address host() const override;
    void* query(const void* kind) noexcept override;

    // TcpTransport
    void setTcpNoDelay(bool enabled) override;
    bool getTcpNoDelay() const override;
    void setTcpKeepAlive(std::optional<KeepAlive> times) override;
    bool getTcpKeepAlive() const override;
    void setTcpUserTimeout(std::chrono::milliseconds timeout) override;
    int socketDescriptor() const noexcept override { return socket_.get(); }

private:
    SocketChannel(LoopContext& context, Descriptor&& socket, const Address& host);
    ~SocketChannel() override = default;

    void onReady(int status, int events) override;
    void onReadyNested(int status, int events) override;
    void onRareEvent(int status, int events);
    void checkBroken();
    void updateWatch();

    LoopContext& context_;
    core::ChannelEvents* events_ = nullptr;
    Descriptor socket_;    // closed after the watch, which is destroyed first
    mutable Address host_; // where the port listens (none: we connected), until somebody asks
    DescriptorWatch watch_;
    bool reading_ = false;
    bool writing_ = false; // onWritable is owed
    bool hungUp_ = false;  // seen while reading was off: not watched for again until it is on
};

} // namespace torsion::uv
