#pragma once

#include <reactor/clock.hpp>
#include <reactor/deferred.hpp>
#include <reactor/detail/task_parts.hpp>
#include <reactor/failure.hpp>
#include <reactor/function.hpp>
#include <reactor/time_point.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <source_location>
#include <string>
#include <type_traits>
#include <utility>

namespace torsion {

/// The errors of cooperators and their tasks, with the names of twisted.internet.task:
///
///     Error
///     ├─ SchedulerError ── SchedulerStopped, NotPaused
///     └─ TaskFinished ── TaskDone, TaskStopped, TaskFailed
class SchedulerError : public ErrorClass<SchedulerError, Error> {
public:
    using ErrorClass::ErrorClass;
    static const ErrorKind kKind;
};

/// The cooperator was stopped, or its clock has ended, before the task was done.
class SchedulerStopped : public ErrorClass<SchedulerStopped, SchedulerError> {
public:
    using ErrorClass::ErrorClass;
    static const ErrorKind kKind;
};

/// A task was resumed that was not paused.
class NotPaused : public ErrorClass<NotPaused, SchedulerError> {
public:
    using ErrorClass::ErrorClass;
    static const ErrorKind kKind;
};

/// Something was asked of a task that has ended.
class TaskFinished : public ErrorClass<TaskFinished, Error> {
public:
    using ErrorClass::ErrorClass;
    static const ErrorKind kKind;
};

/// The task has come to its end.
class TaskDone : public ErrorClass<TaskDone, TaskFinished> {
public:
    using ErrorClass::ErrorClass;
    static const ErrorKind kKind;
};

/// The task was stopped.
class TaskStopped : public ErrorClass<TaskStopped, TaskFinished> {
public:
    using ErrorClass::ErrorClass;
    static const ErrorKind kKind;
};

/// The task has failed.
class TaskFailed : public ErrorClass<TaskFailed, TaskFinished> {
public:
    using ErrorClass::ErrorClass;
    static const ErrorKind kKind;
};

/// What the work of a cooperative task says after each piece: there is more; that was all; or: go on when this Deferred
/// has its result.
class Step {
public:
    static Step more() noexcept { return Step(true); }
    static Step done() noexcept { return Step(false); }

    /// More, once `wait` has succeeded. Its failure is the task's.
    template <class T>
    Step(Deferred<T> wait) : goesOn_(true), wait_(detail::withoutValue(std::move(wait))) {}

    /// For cooperators.
    bool goesOn() const noexcept { return goesOn_; }
    std::optional<Deferred<void>>& wait() noexcept { return wait_; }

private:
    explicit Step(bool goesOn) noexcept : goesOn_(goesOn) {}

    bool goesOn_;
    std::optional<Deferred<void>> wait_;
};

class CooperativeTask;

namespace detail {
CooperativeTask cooperateAlone(Clock& clock, Function<Step()> work, const std::source_location& place);
}

/// A task of a Cooperator: a droppable handle, copies name the same task. Belongs to the clock's thread. Everything may
/// be called inside the task's own work.
class CooperativeTask {
public:
    /// No further piece of work until resume() was called as often as pause() (S-190).
    /// Throws TaskDone, TaskStopped, TaskFailed or SchedulerStopped when the task has ended.
    void pause();

    /// Throws NotPaused when there is no pause() to take back.
    void resume();

    /// No further piece of work: the task ends with TaskStopped. A Deferred that it waits for is cancelled.
    /// Throws as pause() does.
    void stop();

    /// Fires when the task is done; fails with TaskStopped, SchedulerStopped, or what the work has failed with. May be
    /// called any number of times. Cancelling stops the waiting, not the task.
    Deferred<void> whenDone(std::source_location place = std::source_location::current());

    /// Whether it has ended, in whatever way.
    bool isFinished() const noexcept;

private:
    friend class Cooperator;
    friend CooperativeTask detail::cooperateAlone(Clock& clock, Function<Step()> work,
                                                  const std::source_location& place);
    struct State;

    explicit CooperativeTask(std::shared_ptr<State> state) noexcept : state_(std::move(state)) {}

    std::shared_ptr<State> state_;
};

/// Bounds of the time that a Cooperator takes from its thread in a turn, whichever is reached first.
struct CooperatorOptions {
    std::chrono::nanoseconds slice = std::chrono::milliseconds(10); ///< by the clock; reached, but not cut, by a piece
    std::size_t maxSteps = 10'000;                                  ///< pieces of work; at least 1
};

static_assert(std::is_trivially_destructible_v<CooperatorOptions>);

/// Long computations in pieces, among which the reactor does its other work (S-190).
///
/// @code
/// Cooperator cooperator_{reactor};
/// cooperator_.cooperate([this]() -> Step {
///     if (next_ == pictures_.size())
///         return Step::done();
///     shrink(pictures_[next_++]);      // some microseconds, or a millisecond
///     return Step::more();
/// });
/// @endcode
///
/// The work of a task is a function that does one piece each time it is called: a generator. The tasks take turns,
/// piece by piece, until the slice is over; then the reactor goes on, and they in its next turn, with the task whose
/// turn it is. After each piece the time is read.
///
/// Owned by whoever made it; destroying it stops it. Belongs to the clock's thread. Everything may be called inside the
/// work, and the cooperator destroyed there.
class Cooperator {
public:
    /// @param clock lives as long as this object.
    /// Throws std::invalid_argument when an option is out of its range.
    explicit Cooperator(Clock& clock, const CooperatorOptions& options = {});
    ~Cooperator();

    Cooperator(const Cooperator&) = delete;
    Cooperator& operator=(const Cooperator&) = delete;

    /// Adds a task; its first piece is done in the next turn. On a stopped cooperator it has ended already, with
    /// SchedulerStopped. A failure is logged, with `place`, when nobody has called whenDone().
    /// @param work returns a Step, or a Deferred to wait for. Destroyed when the task has ended. What it throws is the
    ///     task's failure.
    template <class F>
        requires std::is_invocable_r_v<Step, std::decay_t<F>&>
    CooperativeTask cooperate(F&& work, std::source_location place = std::source_location::current()) {
        return add(Function<Step()>(std::forward<F>(work)), place);
    }

    /// cooperate() and whenDone() in one; cancelling the Deferred stops the task.
    template <class F>
        requires std::is_invocable_r_v<Step, std::decay_t<F>&>
    Deferred<void> coiterate(F&& work, std::source_location place = std::source_location::current()) {
        return follow(add(Function<Step()>(std::forward<F>(work)), place), place);
    }

    /// Ends all tasks with SchedulerStopped, the paused and the waiting ones too, for good.
    void stop();

    /// False after stop().
    bool isRunning() const noexcept;

private:
    friend CooperativeTask detail::cooperateAlone(Clock& clock, Function<Step()> work,
                                                  const std::source_location& place);
    friend struct CooperativeTask::State;
    struct Scheduler;

    static Deferred<void> follow(CooperativeTask task, const std::source_location& place);
    CooperativeTask add(Function<Step()> work, const std::source_location& place);

    std::shared_ptr<Scheduler> scheduler_; // tasks and a turn in progress have it, too
};

/// A task with a cooperator of its own, which lasts as long as the task: where there are no others to share the slice.
template <class F>
    requires std::is_invocable_r_v<Step, std::decay_t<F>&>
CooperativeTask cooperate(Clock& clock, F&& work, std::source_location place = std::source_location::current()) {
    return detail::cooperateAlone(clock, Function<Step()>(std::forward<F>(work)), place);
}

} // namespace torsion
