#pragma once

#include <reactor/function.hpp>
#include <reactor/reactor.hpp>

#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

// One suite for every backend. A case is written once, over a Driver, and runs on each of them:
//
//     CONFORMANCE_CASE("A5 (S-7): the pieces of writeSequence arrive in order") {
//         Pair pair(driver);
//         pair.client->transport->writeSequence(…);
//         driver.runUntil([&] { return pair.server->received == "…"; });
//     }
//
// Cases never call run(): some of the hosts that a reactor will live on own the loop. They never sleep either; what
// must not happen is shown by something later that does (or by `turns`, which lets everything happen that is under
// way).

namespace torsion::test {

/// A reactor to test, and how to make it go. Made anew for each case and backend.
class Driver {
public:
    Driver() = default;
    Driver(const Driver&) = delete;
    Driver& operator=(const Driver&) = delete;
    virtual ~Driver() = default;

    virtual Reactor& reactor() = 0;

    /// Runs the reactor until `condition()` holds. When that takes too long (10 s of the reactor's time, and of real
    /// time), the case fails with a message, and ends.
    void runUntil(CallableRef<bool()> condition);

    /// As above, but says whether it held.
    [[nodiscard]] virtual bool reaches(CallableRef<bool()> condition) = 0;

    /// So many turns without waiting. On loopback, what was sent in one turn can be received in the next.
    void turns(int count = 20);

    /// One of them.
    virtual void turn() { reactor().iterate(); }

    /// What `reactor().run()` does, on a loop that the reactor owns.
    virtual void run() { reactor().run(); }

    /// Destroys the reactor, with whatever is open on it. Nothing else may be called afterwards.
    virtual void destroyReactor() = 0;

    /// The loopback address to listen on and to connect to.
    virtual const char* loopback() const noexcept = 0;

    /// "UvReactor, IPv6, two-phase"
    virtual std::string name() const = 0;

    bool isIPv6() const noexcept;

    /// Whether sockets are those of the system.
    virtual bool isReal() const noexcept = 0;
};

/// A kind of driver.
struct Backend {
    std::string name;
    bool isReal;
    bool isAlone; ///< the reactor runs the process's loop: its own
    std::function<std::unique_ptr<Driver>()> make;
};

/// Those that this program tests. In torsion_tests (backends.cpp) UvReactor over IPv4 and IPv6, in both dispatch modes,
/// and embedded in a host's loop, with time-outs and with a single descriptor; MemoryReactor over IPv4 and IPv6. In
/// others (embedding/host_driver.cpp) UvReactor inside of each of their hosts.
std::vector<Backend> backends();

enum class RunOn { All, Real, RealAlone };

/// Runs `body` on one backend after the other. Where the machine has no IPv6, that is reported as skipped.
void runOnBackends(RunOn which, void (*body)(Driver&));

} // namespace torsion::test

#define TORSION_CONFORMANCE_CASE(function, which, name)                                                                \
    static void function(torsion::test::Driver& driver);                                                               \
    TEST_CASE(name) {                                                                                                  \
        torsion::test::runOnBackends(which, &function);                                                                \
    }                                                                                                                  \
    static void function([[maybe_unused]] torsion::test::Driver& driver)

/// A case that runs on every backend. Its body sees `driver`.
#define CONFORMANCE_CASE(name)                                                                                         \
    TORSION_CONFORMANCE_CASE(DOCTEST_ANONYMOUS(conformanceCase), torsion::test::RunOn::All, name)

/// A case about what a real reactor does that is nobody's guest.
/// In the suite "alone", which programs leave out that have guests alone.
#define ALONE_CASE(name)                                                                                               \
    TORSION_CONFORMANCE_CASE(DOCTEST_ANONYMOUS(aloneCase), torsion::test::RunOn::RealAlone,                            \
                             name* doctest::test_suite("alone"))

/// A case about what only an operating system has.
#define REAL_CASE(name) TORSION_CONFORMANCE_CASE(DOCTEST_ANONYMOUS(realCase), torsion::test::RunOn::Real, name)
