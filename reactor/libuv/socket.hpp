#pragma once

#include <reactor/address.hpp>
#include <reactor/libuv/descriptor.hpp>
#include <reactor/options.hpp>

#include <chrono>
#include <optional>
#include <string>

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

/// Which option the system refused, and why.
struct OptionError {
    const char* name = nullptr; ///< null: none
    int error = 0;              ///< errno

    explicit operator bool() const noexcept { return name != nullptr; }

    /// "cannot set TCP_NODELAY: Operation not supported"
    std::string describe() const;
};

OptionError setNoDelay(int fd, bool enabled) noexcept;
OptionError setKeepAlive(int fd, const std::optional<KeepAlive>& times) noexcept;
OptionError setUserTimeout(int fd, std::chrono::milliseconds timeout) noexcept;

/// Sets what concerns the socket: no-delay, keep-alive, user time-out; up to the first that is refused. Set on a
/// listening socket, they hold for the connections it accepts too (Linux hands them on).
OptionError applyStreamOptions(int fd, const StreamOptions& options) noexcept;

} // namespace torsion::uv
