#include <reactor/looping_call.hpp>

#include <reactor/errors.hpp>

#include <algorithm>
#include <optional>
#include <stdexcept>

namespace torsion {

struct LoopingCall::State : std::enable_shared_from_this<State> {
    State(Clock& itsClock, Counted itsFunction, LoopingCall& itsOwner) noexcept
        : clock(itsClock), function(std::move(itsFunction)), owner(&itsOwner) {}

    Deferred<LoopingCall*> start(Duration itsInterval, FirstCall first, const std::source_location& place);
    void stop();
    void reset();
    void abandon() noexcept;
    void giveUp() noexcept;
    void unschedule() noexcept;
    void schedule();
    void call();
    std::int64_t intervalsUntil(TimePoint time) const noexcept { return (time - anchor) / interval; }
    Failure called(const Failure& failure);

    // For Tick
    void tick() {
        scheduled = false;
        call();
    }
    void tickDropped();

    Clock& clock;
    Counted function;
    LoopingCall* owner; // null once it is gone
    Duration interval{};
    TimePoint anchor;   // the times are multiples of the interval from here
    TimePoint lastCall; // or what counts as one
    std::optional<Promise<LoopingCall*>> promise;
    DelayedCall next;
    Canceller inner; // of the function's Deferred
    bool running = false;
    bool scheduled = false;
    bool calling = false;    // until the function's Deferred is there
    bool cancelCall = false; // as soon as the function returns
};

Deferred<LoopingCall*> LoopingCall::State::start(Duration itsInterval, FirstCall first,
                                                 const std::source_location& place) {
    if (itsInterval < Duration::zero())
        throw std::invalid_argument("LoopingCall::start: the interval is negative");
    if (running || calling)
        throw std::logic_error("LoopingCall::start: the loop runs already, or its last call has not ended");
    interval = itsInterval;
    anchor = clock.freshNow();
    lastCall = first == FirstCall::Now ? anchor - interval : anchor;
    running = true;
    cancelCall = false;
    promise.emplace(place);
    promise->onCancel([this] { giveUp(); });
    Deferred<LoopingCall*> result = promise->deferred();
    if (first == FirstCall::Now)
        call();
    else
        schedule();
    return result;
}

void LoopingCall::State::stop() {
    if (!running)
        throw std::logic_error("LoopingCall::stop: the loop does not run");
    running = false;
    unschedule();
    if (calling)
        return;
    Promise<LoopingCall*> ended = std::move(*promise);
    promise.reset();
    ended.callback(owner);
}

void LoopingCall::State::reset() {
    if (!running)
        throw std::logic_error("LoopingCall::reset: the loop does not run");
    anchor = clock.freshNow();
    if (scheduled) {
        unschedule();
        schedule();
    }
}

/// The loop's object is gone.
void LoopingCall::State::abandon() noexcept {
    const std::shared_ptr<State> self = shared_from_this();
    owner = nullptr;
    std::optional<Promise<LoopingCall*>> ended = std::exchange(promise, std::nullopt);
    giveUp();
    if (ended)
        ended->callback(nullptr);
}

/// Ends without a word to the promise, unless the function's Deferred has one as it is cancelled.
void LoopingCall::State::giveUp() noexcept {
    const std::shared_ptr<State> self = shared_from_this();
    running = false;
    unschedule();
    if (calling) {
        cancelCall = true;
        const Canceller canceller = inner;
        canceller.cancel();
    }
    promise.reset();
}

void LoopingCall::State::unschedule() noexcept {
    if (std::exchange(scheduled, false))
        next.cancel();
}

// To be exact the time is read once, as the call is scheduled: now() may lie behind after a long call.
void LoopingCall::State::schedule() {
    next = clock.callLater(Duration::zero(), detail::Tick<State>(shared_from_this()));
    scheduled = true;
    if (interval > Duration::zero())
        next.delay(interval - (next.getTime() - anchor) % interval);
}

// A call is scheduled for a time that had not come at the call before: so the count is never 0. At the first call now()
// may lie behind the start.
void LoopingCall::State::call() {
    const std::shared_ptr<State> self = shared_from_this();
    const TimePoint now = std::max(clock.now(), anchor);
    std::int64_t count = 1;
    if (interval > Duration::zero())
        count = intervalsUntil(now) - intervalsUntil(std::exchange(lastCall, now));
    calling = true;
    Deferred<void> result = function(count);
    if (cancelCall)
        result.cancel();
    inner = result.canceller();
    std::move(result).addBoth([self](Result<void> outcome) { return self->called(outcome.failure()); }).detach();
}

Failure LoopingCall::State::called(const Failure& failure) {
    calling = false;
    inner = Canceller();
    if (!promise) // given up
        return failure.check<CancelledError>() ? Failure() : failure;
    if (!failure && running) {
        schedule();
        return {};
    }
    running = false;
    Promise<LoopingCall*> ended = std::move(*promise);
    promise.reset();
    if (failure)
        ended.errback(failure);
    else
        ended.callback(owner);
    return {};
}

void LoopingCall::State::tickDropped() {
    if (!std::exchange(scheduled, false))
        return; // by us
    running = false;
    Promise<LoopingCall*> ended = std::move(*promise);
    promise.reset();
    ended.errback(Failure::of<CancelledError>());
}

LoopingCall::LoopingCall(Clock& clock, Counted function)
    : state_(std::make_shared<State>(clock, std::move(function), *this)) {}

LoopingCall::~LoopingCall() {
    state_->abandon();
}

Deferred<LoopingCall*> LoopingCall::begin(Duration interval, FirstCall first, const std::source_location& place) {
    const std::shared_ptr<State> state = state_; // the function may destroy us
    return state->start(interval, first, place);
}

void LoopingCall::stop() {
    const std::shared_ptr<State> state = state_;
    state->stop();
}

void LoopingCall::reset() {
    state_->reset();
}

bool LoopingCall::isRunning() const noexcept {
    return state_->running;
}

Duration LoopingCall::interval() const noexcept {
    return state_->interval;
}

} // namespace torsion
