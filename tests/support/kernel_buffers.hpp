#pragma once

#include <sys/socket.h>

namespace torsion::test {

/// What a socket's buffers are given where a test writes "more than the kernel keeps": left alone, a kernel keeps up to
/// what its administrator allows (net.ipv4.tcp_rmem, tcp_wmem), 32 MiB on some.
inline constexpr int kKernelBuffer = 128 * 1024;

/// Far more than both sides' kernels keep then (they count their own overhead, and double the number for it).
inline constexpr int kMoreThanKernelsKeep = 4 * 1024 * 1024;

/// Before a socket connects or listens; one that listens hands the sizes on. Does nothing on -1.
inline void setKernelBuffers(int fd, int bytes) {
    if (fd < 0)
        return;
    ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
}

/// For `configureSocket`.
inline void limitKernelBuffers(int fd) {
    setKernelBuffers(fd, kKernelBuffer);
}

} // namespace torsion::test
