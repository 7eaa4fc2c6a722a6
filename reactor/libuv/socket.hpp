#pragma once

#include <reactor/address.hpp>
#include <reactor/libuv/descriptor.hpp>
#include <reactor/options.hpp>

#include <span>
#include <string_view>

namespace torsion::uv {

// The socket calls, each in one place. What fails returns an errno (0: none) unless it says otherwise.

/// A non-blocking, close-on-exec stream socket of `address`'s family; on failure the result is empty and errno is set.
Descriptor openStreamSocket(const Address& address);

int setOption(int fd, int level, int option, int value) noexcept;
int getOption(int fd, int level, int option) noexcept; ///< the value; -1 when it cannot be read

int bindTo(int fd, const Address& address) noexcept;
Address localAddress(int fd);

/// The error that the kernel keeps for the socket, which this takes away.
int takeError(int fd) noexcept;

/// Applies what concerns the socket: no-delay, keep-alive, user time-out. Errors are ignored: the peer may be gone.
void applyStreamOptions(int fd, const StreamOptions& options) noexcept;
void applyKeepAlive(int fd, const std::optional<KeepAlive>& times) noexcept;

} // namespace torsion::uv
