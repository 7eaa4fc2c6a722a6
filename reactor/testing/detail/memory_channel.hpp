#pragma once

#include <reactor/core/channel.hpp>
#include <reactor/testing/detail/memory_host.hpp>
#include <reactor/transport.hpp>

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace torsion::testing::detail {

class MemoryChannel;
class PortTable;

/// The bytes under way in one direction.
///
///     | received ... | acknowledged, unread ... | not acknowledged ... | room |
///     0              begin                      begin + window         size   capacity
class BytePipe {
public:
    std::size_t size() const noexcept { return bytes_.size() - begin_; }
    std::string_view view() const noexcept { return std::string_view(bytes_).substr(begin_); }
    void append(std::string_view data) { bytes_.append(data); }
    void consume(std::size_t count);
    void keepFirst(std::size_t count) { bytes_.resize(begin_ + std::min(count, size())); }

    bool finished = false; ///< nothing more will be sent: an end follows the bytes

private:
    std::string bytes_;
    std::size_t begin_ = 0;
};

/// A connection: two directions, and the ends that are still open. Side 0 began it.
struct MemoryLink {
    std::array<BytePipe, 2> pipes;          ///< by the side that writes
    std::array<MemoryChannel*, 2> ends{};   ///< null: closed
    std::optional<std::size_t> capacity[2]; ///< by the side that writes; none: the network's
};

/// One end of a connection in memory, with the behaviour of a TCP socket on Linux.
class MemoryChannel final : public core::Channel, public TcpTransport, public MemoryReady {
public:
    MemoryChannel(std::shared_ptr<MemoryHost> home, std::shared_ptr<MemoryLink> link, int side, const Address& local,
                  const StreamOptions& options);

    /// The local address is given back to `ports` when this end closes.
    void leasedFrom(std::shared_ptr<PortTable> ports) { ports_ = std::move(ports); }

    /// What may be received or sent has changed: an event follows if somebody wants one.
    void changed() noexcept;

    // Channel
    void attach(core::ChannelEvents& events) override;
    core::ReceiveResult receive() override;
    core::SendResult trySend(std::span<const std::string_view> buffers) override;
    void armWritable() override;
    void startRead() override;
    void stopRead() override;
    void shutdownWrite() override;
    std::size_t unacknowledged() const override;
    void end(core::CloseMode mode) override;
    Address host() const override { return local_; }
    void* query(const void* kind) noexcept override;

    // TcpTransport: what is set is remembered, and changes nothing
    void setTcpNoDelay(bool enabled) override { noDelay_ = enabled; }
    bool getTcpNoDelay() const override { return noDelay_; }
    void setTcpKeepAlive(std::optional<KeepAlive> times) override;
    bool getTcpKeepAlive() const override { return keepAlive_; }
    void setTcpUserTimeout(std::chrono::milliseconds timeout) override;
    int socketDescriptor() const noexcept override { return -1; }

private:
    ~MemoryChannel() override = default;

    void onReady() override;
    BytePipe& in() const noexcept { return link_->pipes[static_cast<std::size_t>(1 - side_)]; }
    BytePipe& out() const noexcept { return link_->pipes[static_cast<std::size_t>(side_)]; }
    MemoryChannel* peer() const noexcept { return link_->ends[static_cast<std::size_t>(1 - side_)]; }
    std::size_t capacity() const noexcept;
    std::size_t window() const noexcept { return (capacity() + 1) / 2; }
    std::size_t room() const noexcept;
    bool canReceive() const noexcept { return in().size() != 0 || in().finished || reset_; }
    bool canSend() const noexcept { return reset_ || out().finished || !peer() || room() != 0; }
    void resetBy(int error) noexcept;

    std::shared_ptr<MemoryLink> link_;
    std::shared_ptr<PortTable> ports_;
    core::ChannelEvents* events_ = nullptr;
    Address local_;
    int side_;
    int error_ = 0;      // of a reset, until somebody was told
    bool reset_ = false; // by the other side: nothing can be sent, and nothing more will come
    bool reading_ = false;
    bool writing_ = false; // onWritable is owed
    bool noDelay_;
    bool keepAlive_;
};

} // namespace torsion::testing::detail
