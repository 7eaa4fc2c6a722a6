#pragma once

#include <reactor/deferred.hpp>

#include <cstddef>
#include <memory>
#include <source_location>
#include <type_traits>
#include <utility>

namespace torsion {

namespace detail {

/// Tokens and those who wait for them; shared with the operations that run() has under way.
class TokenLine;

/// Gives a token back when the operation has ended.
class TokenReturn {
public:
    explicit TokenReturn(std::shared_ptr<TokenLine> line) noexcept : line_(std::move(line)) {}
    void operator()() const;

private:
    std::shared_ptr<TokenLine> line_;
};

} // namespace detail

/// Lets at most so many operations run at once; others wait in line (S-180).
///
/// @code
/// torsion::DeferredSemaphore connections(10);
/// torsion::Deferred<Page> page = connections.run([url] { return fetch(url); });
/// @endcode
/// Owned by whoever made it; on one thread. May be destroyed at any time, in the steps of its own Deferreds as well:
/// those who wait then fail with BrokenPromiseError, those who run go on.
class DeferredSemaphore {
public:
    /// @param tokens how many may run at once. Throws std::invalid_argument when there is none.
    explicit DeferredSemaphore(std::size_t tokens);
    DeferredSemaphore(const DeferredSemaphore&) = delete;
    DeferredSemaphore& operator=(const DeferredSemaphore&) = delete;
    ~DeferredSemaphore();

    /// Fires when there is a token for the caller: at once, or in its turn, inside another's release(). Cancelling it
    /// before leaves the line, with CancelledError; afterwards it does nothing: the token is kept.
    Deferred<void> acquire(std::source_location place = std::source_location::current());

    /// Gives a token back, or to the first who waits, whose steps run before this returns. (Called inside of such a
    /// step it returns first, and the outer call goes on with the line.) Throws std::logic_error when all tokens are
    /// here already.
    void release();

    /// Acquires, calls the function, waits for what it returns, and releases, whatever came of it (S-179). Cancelled in
    /// the line, the function is not called.
    /// @return a Deferred of the function's result.
    template <class F>
        requires std::is_invocable_v<std::decay_t<F>&>
    auto run(F&& function, std::source_location place = std::source_location::current()) {
        return acquire(place).addCallback(
            [f = std::decay_t<F>(std::forward<F>(function)), giveBack = detail::TokenReturn(line_), place]() mutable {
                return maybeDeferred(f, place).addBoth(std::move(giveBack));
            });
    }

    /// Tokens that there are, those that are here, and how many wait for one.
    std::size_t limit() const noexcept;
    std::size_t tokens() const noexcept;
    std::size_t waiting() const noexcept;

private:
    std::shared_ptr<detail::TokenLine> line_;
};

/// Lets one operation run at a time; others wait in line (S-178). Ownership and thread as for DeferredSemaphore, which
/// it is with one token.
class DeferredLock {
public:
    /// See DeferredSemaphore::acquire.
    Deferred<void> acquire(std::source_location place = std::source_location::current()) {
        return semaphore_.acquire(place);
    }

    /// See DeferredSemaphore::release. Throws std::logic_error when the lock is not held.
    void release() { semaphore_.release(); }

    /// See DeferredSemaphore::run.
    template <class F>
        requires std::is_invocable_v<std::decay_t<F>&>
    auto run(F&& function, std::source_location place = std::source_location::current()) {
        return semaphore_.run(std::forward<F>(function), place);
    }

    bool locked() const noexcept { return semaphore_.tokens() == 0; }
    std::size_t waiting() const noexcept { return semaphore_.waiting(); }

private:
    DeferredSemaphore semaphore_{1};
};

} // namespace torsion
