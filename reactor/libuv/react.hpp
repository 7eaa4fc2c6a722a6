#pragma once

#include <reactor/libuv/uv_reactor.hpp>
#include <reactor/react.hpp>

#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace torsion {

namespace detail {

/// Runs a program on a UvReactor; 1, and a line in the log, where that cannot be made or started.
int runProgram(Function<int(UvReactor&)> program);

} // namespace detail

/// A whole program:
///
/// @code
/// torsion::Deferred<void> program(torsion::UvReactor& reactor) {
///     co_await reactor.sleep(1s);
///     fmt::print("a second later\n");
/// }
/// int main() { return torsion::react(program); }
/// @endcode
///
/// As react(reactor, main) in <reactor/react.hpp>, with a reactor of its own: SIGINT, SIGTERM and SIGHUP cancel `main`.
/// @param main called with an UvReactor&, or what that converts to.
/// @return the exit status; 1, too, when the reactor cannot be made.
template <class F>
    requires std::is_invocable_v<std::decay_t<F>&, UvReactor&>
int react(F&& main, const ReactOptions& options = {}) {
    return detail::runProgram([own = std::decay_t<F>(std::forward<F>(main)), options](UvReactor& reactor) mutable {
        return react(reactor, std::move(own), options);
    });
}

/// The same with the words of the command line, those after the program's name: `main(reactor, words)`.
/// @param argc, argv those of `int main`; copied.
template <class F>
    requires std::is_invocable_v<std::decay_t<F>&, UvReactor&, std::vector<std::string>>
int react(int argc, const char* const* argv, F&& main, const ReactOptions& options = {}) {
    std::vector<std::string> words(argv + (argc > 0 ? 1 : 0), argv + argc);
    return react([own = std::decay_t<F>(std::forward<F>(main)),
                  words = std::move(words)](UvReactor& reactor) mutable { return own(reactor, std::move(words)); },
                 options);
}

} // namespace torsion
