#pragma once

#include <reactor/deferred.hpp>
#include <reactor/detail/task_parts.hpp>
#include <reactor/failure.hpp>
#include <reactor/function.hpp>

#include <cstddef>
#include <memory>
#include <source_location>
#include <type_traits>
#include <utility>

namespace torsion {

/// Owns the coroutines and Deferreds that an object has started: they do not outlive it. The one way to start something
/// without waiting for it.
///
/// @code
/// class Sweeper {
///     void begin() { tasks_.spawn([this] { return sweep(); }); }
///     Deferred<void> end() { return tasks_.close(); }
///     Deferred<void> sweep();   // a coroutine that uses `this`
///     TaskScope tasks_;         // the last member: closed first
/// };
/// @endcode
///
/// Closing cancels all tasks; so does destroying the scope, which waits for none: a task that cleans up across a
/// `co_await` needs close(). A task that fails is logged, with the place where it was started; only a CancelledError
/// after closing is what was asked for. ScopedProtocol gives each connection a scope.
///
/// Belongs to one thread. A task may spawn others, close the scope and destroy it.
class TaskScope {
public:
    TaskScope();

    /// @param onFailure called after a task's failure was logged; may destroy the scope. Not called from the
    ///     scope's destruction on.
    explicit TaskScope(Function<void(const Failure&)> onFailure);

    /// Closes and waits for nobody.
    ~TaskScope();

    TaskScope(const TaskScope&) = delete;
    TaskScope& operator=(const TaskScope&) = delete;

    /// Takes a task that is under way; its value, if any, is dropped. On a closed scope it is cancelled at once.
    /// @return whether the scope was open. Throws std::logic_error when the Deferred was consumed.
    template <class T>
    bool spawn(Deferred<T> task, std::source_location place = std::source_location::current()) {
        return adopt(detail::withoutValue(std::move(task)), place);
    }

    /// Starts a task: calls `start` at once, and waits for what it returns where that is a Deferred. `start` is kept
    /// until the task has ended, so that a coroutine may use what its lambda has captured. What it throws is the task's
    /// failure. On a closed scope nothing is called.
    /// @return whether the scope was open.
    template <class F>
        requires std::is_invocable_v<std::decay_t<F>&>
    bool spawn(F&& start, std::source_location place = std::source_location::current()) {
        return begin(
            [own = std::decay_t<F>(std::forward<F>(start))]() mutable { return detail::callWithoutValue(own); }, place);
    }

    /// Cancels all tasks, the last that was spawned first, so that those who wait in line for a lock or a semaphore
    /// leave before the one who has it; and takes no more.
    /// @return fires when the last task has ended. May be called again, for another Deferred; cancelling it stops the
    ///     waiting alone. A task of the scope that awaits it is cancelled there, as every task is.
    Deferred<void> close(std::source_location place = std::source_location::current());

    /// Whether close() was called.
    bool isClosed() const noexcept;

    /// Tasks that have not ended.
    std::size_t size() const noexcept;

private:
    struct Task;
    struct State;
    class Ending;

    bool adopt(Deferred<void> task, const std::source_location& place);
    bool begin(Function<Deferred<void>()> start, const std::source_location& place);

    std::shared_ptr<State> state_; // the tasks that are still ending have it, too
};

} // namespace torsion
