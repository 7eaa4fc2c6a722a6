#include <reactor/task_scope.hpp>

#include <reactor/errors.hpp>
#include <reactor/log.hpp>

#include <iterator>
#include <list>
#include <vector>

namespace torsion {

struct TaskScope::Task {
    std::source_location place;
    Function<Deferred<void>()> start; // what the coroutine's frame may refer to
    Canceller canceller{};
    bool cancelled = false;
};

struct TaskScope::State {
    explicit State(Function<void(const Failure&)> handler) noexcept : onFailure(std::move(handler)) {}

    bool isEmpty() const noexcept { return running.empty() && cancelled.empty(); }
    void cancelAll();
    void end(std::list<Task>::iterator task, const Failure& failure);
    void report(const Failure& failure, const std::source_location& place);

    std::list<Task> running;
    std::list<Task> cancelled; // and not yet ended
    std::vector<Promise<void>> waiting;
    Function<void(const Failure&)> onFailure;
    bool closed = false;
    bool abandoned = false; // the scope is gone
};

/// What a task's Deferred ends with. One that is dropped without a result has ended, too.
class TaskScope::Ending {
public:
    Ending(std::shared_ptr<State> state, std::list<Task>::iterator task) noexcept
        : state_(std::move(state)), task_(task) {}
    Ending(Ending&&) noexcept = default;
    Ending& operator=(Ending&&) = delete;
    ~Ending() {
        if (state_)
            end({});
    }

    void end(const Failure& failure) {
        const std::shared_ptr<State> state = std::move(state_);
        state->end(task_, failure);
    }

    /// Has the task's result come here.
    static void follow(std::shared_ptr<State> state, std::list<Task>::iterator task, Deferred<void> result) {
        if (task->cancelled)
            result.cancel();
        task->canceller = result.canceller();
        std::move(result)
            .addBoth([ending = Ending(std::move(state), task)](Result<void> outcome) mutable {
                ending.end(outcome.failure());
            })
            .detach();
    }

private:
    std::shared_ptr<State> state_;
    std::list<Task>::iterator task_;
};

void TaskScope::State::cancelAll() {
    closed = true;
    // No task is added meanwhile, but any may end. The last first: who waits in a line shall have left it before the
    // one who holds what it waits for lets go.
    while (!running.empty()) {
        Task& task = running.back();
        cancelled.splice(cancelled.end(), running, std::prev(running.end()));
        task.cancelled = true;
        const Canceller canceller = task.canceller;
        canceller.cancel();
    }
}

void TaskScope::State::end(std::list<Task>::iterator task, const Failure& failure) {
    std::list<Task> ended;
    ended.splice(ended.begin(), task->cancelled ? cancelled : running, task);
    const std::source_location place = task->place;
    ended.clear();
    if (failure && !(closed && failure.check<CancelledError>()))
        report(failure, place);
    if (!closed || !isEmpty())
        return;
    for (Promise<void>& promise : std::exchange(waiting, {}))
        promise.callback();
}

void TaskScope::State::report(const Failure& failure, const std::source_location& place) {
    log::error("Failure in a task (started at {}:{}): {}", place.file_name(), place.line(), failure.toString());
    if (onFailure && !abandoned)
        onFailure(failure);
}

TaskScope::TaskScope() : TaskScope(nullptr) {}

TaskScope::TaskScope(Function<void(const Failure&)> onFailure)
    : state_(std::make_shared<State>(std::move(onFailure))) {}

TaskScope::~TaskScope() {
    state_->abandoned = true;
    state_->cancelAll();
}

bool TaskScope::adopt(Deferred<void> task, const std::source_location& place) {
    const std::shared_ptr<State> state = state_; // the task may destroy us
    const bool open = !state->closed;
    auto& tasks = open ? state->running : state->cancelled;
    const auto added = tasks.insert(tasks.end(), Task{.place = place, .start = {}, .cancelled = !open});
    Ending::follow(state, added, std::move(task));
    return open;
}

bool TaskScope::begin(Function<Deferred<void>()> start, const std::source_location& place) {
    const std::shared_ptr<State> state = state_;
    if (state->closed)
        return false;
    const auto added = state->running.insert(state->running.end(), Task{.place = place, .start = std::move(start)});
    Deferred<void> result = added->start();
    Ending::follow(state, added, std::move(result));
    return true;
}

Deferred<void> TaskScope::close(std::source_location place) {
    const std::shared_ptr<State> state = state_;
    state->cancelAll();
    if (state->isEmpty())
        return succeed(place);
    std::erase_if(state->waiting, [](const Promise<void>& promise) { return promise.isFired(); }); // cancelled
    return state->waiting.emplace_back(place).deferred();
}

bool TaskScope::isClosed() const noexcept {
    return state_->closed;
}

std::size_t TaskScope::size() const noexcept {
    return state_->running.size() + state_->cancelled.size();
}

} // namespace torsion
