#include "counted.hpp"

#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <stdexcept>
#include <system_error>

namespace torsion::benchmarks {

namespace {

[[noreturn]] void fail(const char* call) {
    throw std::system_error(errno, std::generic_category(), call);
}

pid_t forked() {
    const pid_t child = ::fork();
    if (child < 0)
        fail("fork");
    return child;
}

// In a child: never back into the caller.
template <class F>
[[noreturn]] void runAndExit(F&& f) noexcept {
    try {
        f();
    } catch (...) {
        ::_exit(1);
    }
    ::_exit(0);
}

// Whether a stop is one before or after a system call: told apart from signals by PTRACE_O_TRACESYSGOOD.
bool isSystemCall(int status) {
    return WSTOPSIG(status) == (SIGTRAP | 0x80);
}

// The signal to hand on: none for ptrace's own stops.
int signalOf(int status) {
    const int signal = WSTOPSIG(status);
    return isSystemCall(status) || signal == SIGTRAP || signal == SIGSTOP ? 0 : signal;
}

} // namespace

std::string inChild(const std::function<std::string()>& f) {
    std::array<int, 2> ends{};
    if (::pipe(ends.data()) != 0)
        fail("pipe");
    const pid_t child = forked();
    if (child == 0) {
        runAndExit([&] {
            const std::string said = f();
            if (::write(ends[1], said.data(), said.size()) != static_cast<ssize_t>(said.size()))
                fail("write");
        });
    }
    ::close(ends[1]);
    std::string said;
    std::array<char, 4096> piece{};
    for (ssize_t size = 0; (size = ::read(ends[0], piece.data(), piece.size())) > 0;)
        said.append(piece.data(), static_cast<std::size_t>(size));
    ::close(ends[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        throw std::runtime_error("a measurement has failed");
    return said;
}

std::uint64_t systemCallsOf(const std::function<void()>& f) {
    const pid_t child = forked();
    if (child == 0) {
        runAndExit([&] {
            if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0)
                ::_exit(2);
            ::raise(SIGSTOP);
            f();
        });
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    if (!WIFSTOPPED(status))
        return 0;
    ::ptrace(PTRACE_SETOPTIONS, child, nullptr,
             PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL); // NOLINT: a long, as a pointer
    ::ptrace(PTRACE_SYSCALL, child, nullptr, nullptr);
    std::uint64_t stops = 0;
    for (pid_t who = 0; (who = ::waitpid(-1, &status, __WALL)) > 0;) {
        if (!WIFSTOPPED(status)) {
            if (who == child)
                break;
            continue;
        }
        stops += isSystemCall(status) ? 1 : 0;
        ::ptrace(PTRACE_SYSCALL, who, nullptr, signalOf(status));
    }
    return stops / 2;
}

} // namespace torsion::benchmarks
