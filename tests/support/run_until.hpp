#pragma once

#include <reactor/reactor.hpp>

#include <chrono>

namespace torsion::test {

/// Runs turns until `condition()` is true. Nothing is timed: the 20 s are for a test that would hang else.
/// @returns false when they passed.
template <class F>
bool runUntil(Reactor& reactor, F&& condition) {
    using namespace std::chrono_literals;
    const auto limit = std::chrono::steady_clock::now() + 20s;
    while (!condition()) {
        if (std::chrono::steady_clock::now() > limit)
            return false;
        reactor.iterate(10ms);
    }
    return true;
}

/// Runs `turns` turns that wait for nothing.
inline void runTurns(Reactor& reactor, int turns) {
    for (int i = 0; i < turns; ++i)
        reactor.iterate();
}

} // namespace torsion::test
