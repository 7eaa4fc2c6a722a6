#pragma once

#include <doctest/doctest.h>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <string>

namespace torsion::test {

/// How a process of its own ended, and what it said on stderr.
struct ChildEnd {
    int status = 0; ///< as waitpid has it
    std::string said;

    bool wasAborted() const { return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT; }
};

/// Calls `f`, says on `out` what it says on stderr, and ends: with 2 when it throws, by SIGALRM when it takes 20 s.
template <class F>
[[noreturn]] void beChild(int out, F&& f) {
    const rlimit none{.rlim_cur = 0, .rlim_max = 0};
    ::setrlimit(RLIMIT_CORE, &none);
    ::signal(SIGABRT, SIG_DFL); // the test program's handler would report a crash
    ::dup2(out, STDERR_FILENO);
    ::alarm(20);
    try {
        f();
    } catch (...) {
        ::_exit(2);
    }
    ::_exit(0);
}

/// Calls `f` in a process of its own, and waits for its end.
template <class F>
ChildEnd runInChild(F&& f) {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0)
        beChild(ends[1], f);
    ::close(ends[1]);
    ChildEnd result;
    char buffer[512];
    for (ssize_t count = 0; (count = ::read(ends[0], buffer, sizeof buffer)) > 0;)
        result.said.append(buffer, static_cast<std::size_t>(count));
    ::close(ends[0]);
    REQUIRE(::waitpid(child, &result.status, 0) == child);
    return result;
}

} // namespace torsion::test
