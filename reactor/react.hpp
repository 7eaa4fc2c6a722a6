#pragma once

#include <reactor/deferred.hpp>
#include <reactor/failure.hpp>
#include <reactor/function.hpp>
#include <reactor/reactor.hpp>

#include <chrono>
#include <concepts>
#include <functional>
#include <string>
#include <type_traits>
#include <utility>

namespace torsion {

/// Thrown by the main function of react(), or what its Deferred fails with: the program ends with this status, and
/// nothing is logged.
class SystemExit : public ErrorClass<SystemExit, Error> {
public:
    using ErrorClass::ErrorClass;
    static const ErrorKind kKind;

    /// @param status 0..255; of others an operating system keeps the low 8 bits.
    explicit SystemExit(int status);

    int status() const noexcept { return code(); }
};

/// How react() runs.
struct ReactOptions {
    /// How long the main function may take to end when the reactor is stopped under it. It is given up then, with a
    /// line in the log and status 1.
    std::chrono::nanoseconds patience = std::chrono::seconds(30);
};

static_assert(std::is_trivially_destructible_v<ReactOptions>);

namespace detail {

int runMain(Reactor& reactor, Function<Deferred<int>()> main, const ReactOptions& options);

/// Calls the main function; its result as an exit status.
template <class F, class... Args>
Deferred<int> callMain(F& main, Args&&... args) {
    auto result = maybeDeferred(main, std::forward<Args>(args)...);
    using T = typename decltype(result)::ValueType;
    static_assert(std::is_void_v<T> || std::same_as<T, int>,
                  "react: the main function returns nothing, an int, a Deferred<void> or a Deferred<int>");
    if constexpr (std::is_void_v<T>)
        return std::move(result).addCallback([] { return 0; });
    else
        return result;
}

} // namespace detail

/// Runs a whole program: the reactor, and on it `main`, which most often is a coroutine. When that has ended the
/// reactor is stopped (S-189). <reactor/libuv/react.hpp> has the same with a reactor of its own, for `int main`.
///
/// The reactor may be stopped before, by a signal or by whomever: `main` is cancelled then and may clean up, for as
/// long as `options.patience`; connections are open meanwhile.
///
/// @param reactor is not running.
/// @param main called as `main(reactor)` as soon as the reactor runs; kept until it has ended. Returns nothing, an int,
///     or a Deferred of either.
/// @return the exit status: the int, or 0 for none; a SystemExit's; 0 where a stopped reactor has cancelled `main`; 1
///     for any other failure, which is logged.
/// Throws what Reactor::run throws.
template <std::derived_from<Reactor> R, class F>
    requires std::is_invocable_v<std::decay_t<F>&, R&>
int react(R& reactor, F&& main, const ReactOptions& options = {}) {
    return detail::runMain(
        reactor,
        [&reactor, own = std::decay_t<F>(std::forward<F>(main))]() mutable { return detail::callMain(own, reactor); },
        options);
}

} // namespace torsion
