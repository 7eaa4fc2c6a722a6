#include <reactor/libuv/secure_random.hpp>

#include <sys/random.h>

#include <cerrno>
#include <system_error>

namespace torsion {

std::uint64_t SecureRandom::next() {
    std::uint64_t number = 0;
    // Up to 256 bytes come whole or not at all; a signal may interrupt only before the system's pool is first filled.
    while (::getrandom(&number, sizeof number, 0) != static_cast<ssize_t>(sizeof number)) {
        if (errno != EINTR)
            throw std::system_error(errno, std::generic_category(), "getrandom");
    }
    return number;
}

} // namespace torsion
