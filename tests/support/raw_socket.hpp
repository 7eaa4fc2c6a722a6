#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace torsion::test {

/// A TCP socket on 127.0.0.1 that nothing of ours stands behind: a peer that can misbehave. It never waits, but for
/// connecting and accepting, and for these no longer than 30 s. What it sends and receives is not counted by
/// SyscallCount. Throws std::system_error when the system refuses something.
class RawSocket {
public:
    /// A socket that is not connected or bound; `connect` may come when no descriptors are left.
    static RawSocket unconnected();
    static RawSocket connectTo(std::uint16_t port);
    static RawSocket listen(int backlog = 16);

    /// Bound to a port of its own where nobody listens: connecting there is refused as long as this object lives.
    static RawSocket bound();

    /// As above, on ::1.
    static RawSocket boundIPv6();

    RawSocket() = default;
    RawSocket(RawSocket&& other) noexcept;
    RawSocket& operator=(RawSocket&& other) noexcept;
    ~RawSocket() { close(); }

    void connect(std::uint16_t port);

    /// As `connect`, without waiting for it. @returns whether it is connected at once.
    bool tryConnect(std::uint16_t port);

    /// The next connection, which is waited for; not open when the system refuses one.
    RawSocket accept();

    /// The number this end is bound to.
    std::uint16_t port() const;

    /// As much of `data` as the kernel takes. @returns how much that was.
    std::size_t send(std::string_view data);

    /// What has arrived since; nothing is waited for.
    std::string receive();

    /// Whether the other end has said that no more comes, and what error ended the connection else.
    bool ended() const noexcept { return ended_; }
    int error() const noexcept { return error_; }
    bool finished() const noexcept { return ended_ || error_ != 0; }

    void shutdownWrite();
    void close() noexcept;

    /// Closes with a reset.
    void reset();

    void setBuffers(int bytes);
    bool isOpen() const noexcept { return fd_ >= 0; }
    int fd() const noexcept { return fd_; }

private:
    explicit RawSocket(int fd) noexcept : fd_(fd) {}

    int fd_ = -1;
    bool ended_ = false;
    int error_ = 0;
};

} // namespace torsion::test
