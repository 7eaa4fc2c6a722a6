#pragma once

#include <reactor/address.hpp>

#include <string>
#include <vector>

#include <sys/resource.h>

namespace torsion::test {

/// While it lives the process can open no further descriptor. What it had is restored at its end.
class NoDescriptors {
public:
    enum class How {
        Occupied, ///< all that are allowed are in use: closing one makes room for one
        Forbidden ///< not even in place of one that is closed
    };
    explicit NoDescriptors(How how);
    NoDescriptors(const NoDescriptors&) = delete;
    NoDescriptors& operator=(const NoDescriptors&) = delete;
    ~NoDescriptors();

private:
    rlimit before_{};
    std::vector<int> occupied_;
};

/// A client without a reactor, whose descriptor is there from the beginning.
class RawClient {
public:
    explicit RawClient(const Address& server);
    RawClient(const RawClient&) = delete;
    RawClient& operator=(const RawClient&) = delete;
    ~RawClient();

    /// Connects; on loopback that is done when it returns, whether the server accepts or not.
    void connect();

    void close();

    /// Whether the server has closed the connection (or reset it). Does not wait; takes one byte when it has not.
    bool isClosed() const;

    /// All that has come so far, up to the end. Does not wait.
    std::string read();

    /// What read() ended with: 0 for the end of the connection, EAGAIN while it is open, or another errno.
    int end() const noexcept { return end_; }

private:
    Address server_;
    int fd_;
    int end_ = 0;
};

/// An IPv6 address of a link with its scope, "fe80::1%eth0"; empty where there is none.
std::string linkLocalAddress();

} // namespace torsion::test
