#include <reactor/cooperator.hpp>

#include <reactor/errors.hpp>
#include <reactor/log.hpp>

#include <list>
#include <stdexcept>
#include <vector>

namespace torsion {

const ErrorKind SchedulerError::kKind =
    ErrorKind::of<SchedulerError>("SchedulerError", "The scheduler cannot do that.", Error::kKind);
const ErrorKind SchedulerStopped::kKind =
    ErrorKind::of<SchedulerStopped>("SchedulerStopped", "The cooperator was stopped.", SchedulerError::kKind);
const ErrorKind NotPaused::kKind =
    ErrorKind::of<NotPaused>("NotPaused", "The task is not paused.", SchedulerError::kKind);
const ErrorKind TaskFinished::kKind = ErrorKind::of<TaskFinished>("TaskFinished", "The task has ended.", Error::kKind);
const ErrorKind TaskDone::kKind =
    ErrorKind::of<TaskDone>("TaskDone", "The task has come to its end.", TaskFinished::kKind);
const ErrorKind TaskStopped::kKind =
    ErrorKind::of<TaskStopped>("TaskStopped", "The task was stopped.", TaskFinished::kKind);
const ErrorKind TaskFailed::kKind =
    ErrorKind::of<TaskFailed>("TaskFailed", "The task has failed.", TaskFinished::kKind);

struct CooperativeTask::State : std::enable_shared_from_this<State> {
    enum class Outcome { None, Done, Stopped, Failed, SchedulerStopped };

    State(std::shared_ptr<Cooperator::Scheduler> itsScheduler, Function<Step()> itsWork,
          const std::source_location& itsPlace);
    ~State();
    State(const State&) = delete;
    State& operator=(const State&) = delete;

    void requireUnfinished() const;
    void reportFailure(const Failure& what) const;
    bool isRunnable() const noexcept { return outcome == Outcome::None && pauses == 0 && !waiting; }
    void doPiece();
    void waitFor(Deferred<void> deferred);
    Failure waited(const Failure& failure);
    void complete(Outcome with, const Failure& why);
    Deferred<void> whenDone(const std::source_location& place);

    std::shared_ptr<Cooperator::Scheduler> scheduler;
    Function<Step()> work;
    std::source_location place;
    std::list<State*>::iterator listed;
    std::list<std::shared_ptr<State>>::iterator queued;
    bool isQueued = false;
    bool waiting = false;    // for `inner`
    bool doingPiece = false; // `work` is on the stack
    bool asked = false;      // somebody hears of the outcome
    std::size_t pauses = 0;
    Canceller inner;
    Outcome outcome = Outcome::None;
    Failure failure;
    std::vector<Promise<void>> waiters;
};

struct Cooperator::Scheduler : std::enable_shared_from_this<Scheduler> {
    using Task = CooperativeTask::State;

    Scheduler(Clock& itsClock, const CooperatorOptions& itsOptions) : clock(itsClock), options(itsOptions) {
        if (options.slice < Duration::zero() || options.maxSteps == 0)
            throw std::invalid_argument("Cooperator: the slice is negative, or maxSteps is 0");
    }

    void enqueue(Task& task);
    void dequeue(Task& task) noexcept;
    void schedule();
    void stop();
    void runSlice();

    // For Tick
    void tick();
    void tickDropped() {
        if (std::exchange(scheduled, false))
            stop(); // the clock is gone
    }

    Clock& clock;
    CooperatorOptions options;
    std::list<Task*> tasks; // that have not ended
    std::list<std::shared_ptr<Task>> queue;
    DelayedCall next;
    bool scheduled = false;
    bool ticking = false;
    bool stopped = false;
};

void Cooperator::Scheduler::enqueue(Task& task) {
    task.queued = queue.insert(queue.end(), task.shared_from_this());
    task.isQueued = true;
    schedule();
}

void Cooperator::Scheduler::dequeue(Task& task) noexcept {
    if (!std::exchange(task.isQueued, false))
        return;
    queue.erase(task.queued);
    if (queue.empty() && std::exchange(scheduled, false))
        next.cancel();
}

void Cooperator::Scheduler::schedule() {
    if (scheduled || ticking || queue.empty())
        return;
    next = clock.callLater(Duration::zero(), detail::Tick<Scheduler>(shared_from_this()));
    scheduled = true;
}

void Cooperator::Scheduler::tick() {
    scheduled = false;
    runSlice();
    schedule();
}

void Cooperator::Scheduler::runSlice() {
    struct Ticking {
        Scheduler& scheduler;
        explicit Ticking(Scheduler& its) noexcept : scheduler(its) { scheduler.ticking = true; }
        ~Ticking() { scheduler.ticking = false; }
    } const ticks(*this);
    const TimePoint end = clock.freshNow() + options.slice;
    for (std::size_t steps = 0; steps < options.maxSteps && !queue.empty(); ++steps) {
        const std::shared_ptr<Task> task = queue.front();
        queue.splice(queue.end(), queue, queue.begin());
        task->doPiece();
        if (!queue.empty() && clock.freshNow() >= end)
            break;
    }
}

void Cooperator::Scheduler::stop() {
    const std::shared_ptr<Scheduler> self = shared_from_this();
    stopped = true;
    while (!tasks.empty()) {
        const std::shared_ptr<Task> task = tasks.front()->shared_from_this();
        task->complete(Task::Outcome::SchedulerStopped, Failure::of<SchedulerStopped>());
    }
}

CooperativeTask::State::State(std::shared_ptr<Cooperator::Scheduler> itsScheduler, Function<Step()> itsWork,
                              const std::source_location& itsPlace)
    : scheduler(std::move(itsScheduler)), work(std::move(itsWork)), place(itsPlace),
      listed(scheduler->tasks.insert(scheduler->tasks.end(), this)) {}

// One that is paused, and of which nobody has a handle any more, ends here.
CooperativeTask::State::~State() {
    if (outcome == Outcome::None)
        scheduler->tasks.erase(listed);
    if (outcome == Outcome::Failed && !asked)
        reportFailure(failure);
}

void CooperativeTask::State::reportFailure(const Failure& what) const {
    log::error("Failure in a cooperative task (started at {}:{}): {}", place.file_name(), place.line(),
               what.toString());
}

void CooperativeTask::State::requireUnfinished() const {
    switch (outcome) {
    case Outcome::None:
        return;
    case Outcome::Done:
        throw TaskDone();
    case Outcome::Stopped:
        throw TaskStopped();
    case Outcome::Failed:
        throw TaskFailed();
    case Outcome::SchedulerStopped:
        throw SchedulerStopped();
    }
}

void CooperativeTask::State::doPiece() {
    std::optional<Step> step;
    Failure thrown;
    doingPiece = true;
    try {
        step.emplace(work());
    } catch (...) {
        thrown = Failure::current();
    }
    doingPiece = false;
    if (outcome != Outcome::None) {
        work.reset(); // which complete() could not do
        if (thrown)
            reportFailure(thrown);
    }
    if (thrown) {
        complete(Outcome::Failed, thrown);
    } else if (step->wait()) {
        try {
            waitFor(std::move(*step->wait()));
        } catch (...) { // it was consumed already, or moved from
            const Failure why = Failure::current();
            if (outcome != Outcome::None)
                reportFailure(why);
            complete(Outcome::Failed, why);
        }
    } else if (!step->goesOn()) {
        complete(Outcome::Done, {});
    }
}

void CooperativeTask::State::waitFor(Deferred<void> deferred) {
    if (outcome != Outcome::None) {
        deferred.cancel();
    } else {
        waiting = true;
        scheduler->dequeue(*this);
        inner = deferred.canceller();
    }
    std::move(deferred)
        .addBoth([self = shared_from_this()](Result<void> result) { return self->waited(result.failure()); })
        .detach();
}

Failure CooperativeTask::State::waited(const Failure& why) {
    if (outcome != Outcome::None)
        return why.check<CancelledError>() ? Failure() : why;
    waiting = false;
    inner = Canceller();
    if (why)
        complete(Outcome::Failed, why);
    else if (pauses == 0)
        scheduler->enqueue(*this);
    return {};
}

void CooperativeTask::State::complete(Outcome with, const Failure& why) {
    if (outcome != Outcome::None)
        return;
    const std::shared_ptr<State> self = shared_from_this();
    outcome = with;
    failure = why;
    scheduler->tasks.erase(listed);
    scheduler->dequeue(*this);
    if (!doingPiece)
        work.reset();
    const Canceller awaited = std::exchange(inner, Canceller());
    awaited.cancel();
    for (Promise<void>& waiter : std::exchange(waiters, {})) {
        if (failure)
            waiter.errback(failure);
        else
            waiter.callback();
    }
}

Deferred<void> CooperativeTask::State::whenDone(const std::source_location& from) {
    asked = true;
    if (outcome == Outcome::None)
        return waiters.emplace_back(from).deferred();
    return failure ? fail(failure, from) : succeed(from);
}

void CooperativeTask::pause() {
    state_->requireUnfinished();
    ++state_->pauses;
    state_->scheduler->dequeue(*state_);
}

void CooperativeTask::resume() {
    if (state_->pauses == 0)
        throw NotPaused();
    --state_->pauses;
    if (state_->isRunnable())
        state_->scheduler->enqueue(*state_);
}

void CooperativeTask::stop() {
    state_->requireUnfinished();
    const std::shared_ptr<State> state = state_;
    state->complete(State::Outcome::Stopped, Failure::of<TaskStopped>());
}

Deferred<void> CooperativeTask::whenDone(std::source_location place) {
    return state_->whenDone(place);
}

bool CooperativeTask::isFinished() const noexcept {
    return state_->outcome != State::Outcome::None;
}

Cooperator::Cooperator(Clock& clock, const CooperatorOptions& options)
    : scheduler_(std::make_shared<Scheduler>(clock, options)) {}

Cooperator::~Cooperator() {
    scheduler_->stop();
}

CooperativeTask Cooperator::add(Function<Step()> work, const std::source_location& place) {
    if (!work)
        throw std::invalid_argument("Cooperator::cooperate: there is nothing to call");
    const auto task = std::make_shared<CooperativeTask::State>(scheduler_, std::move(work), place);
    if (scheduler_->stopped)
        task->complete(CooperativeTask::State::Outcome::SchedulerStopped, Failure::of<SchedulerStopped>());
    else
        scheduler_->enqueue(*task);
    return CooperativeTask(task);
}

// Of a cooperator there is the scheduler alone, which the task keeps.
CooperativeTask detail::cooperateAlone(Clock& clock, Function<Step()> work, const std::source_location& place) {
    if (!work)
        throw std::invalid_argument("cooperate: there is nothing to call");
    const auto task = std::make_shared<CooperativeTask::State>(
        std::make_shared<Cooperator::Scheduler>(clock, CooperatorOptions()), std::move(work), place);
    task->scheduler->enqueue(*task);
    return CooperativeTask(task);
}

Deferred<void> Cooperator::follow(CooperativeTask task, const std::source_location& place) {
    const std::shared_ptr<CooperativeTask::State> state = std::move(task.state_);
    Deferred<void> done = state->whenDone(place);
    if (!state->waiters.empty()) {
        state->waiters.back().onCancel([weak = std::weak_ptr(state)] {
            if (const auto own = weak.lock())
                own->complete(CooperativeTask::State::Outcome::Stopped, Failure::of<CancelledError>());
        });
    }
    return done;
}

void Cooperator::stop() {
    const std::shared_ptr<Scheduler> scheduler = scheduler_;
    scheduler->stop();
}

bool Cooperator::isRunning() const noexcept {
    return !scheduler_->stopped;
}

} // namespace torsion
