#include <reactor/libuv/embedded_loop.hpp>

#include <reactor/libuv/loop_context.hpp>
#include <reactor/libuv/uv_reactor.hpp>

#include <uv.h>

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace torsion::uv {

namespace {

// Before it uv_backend_timeout() forgot descriptors that the kernel had not been told of yet.
constexpr unsigned kOldestLibuv = (1U << 16U) | (44U << 8U);

constexpr std::chrono::milliseconds kLongestWait{std::numeric_limits<int>::max()};

// Of an option, which nanoseconds can count; longer than any program runs.
constexpr std::chrono::years kLongestOption{100};

// Long ago: an alarm that is set for it fires at once.
constexpr TimePoint kNow = TimePoint::fromNanoseconds(1);

} // namespace

/// While it lives there is another buffer to read into: a view of the first is with a callback on the stack.
class EmbeddedLoop::NestedBuffer {
public:
    NestedBuffer(LoopContext& context, std::unique_ptr<char[]>& spare)
        : context_(context), spare_(spare),
          outer_(std::exchange(context.readBuffer,
                               spare ? std::move(spare)
                                     : std::make_unique_for_overwrite<char[]>(LoopContext::kReadSize))) {}
    NestedBuffer(const NestedBuffer&) = delete;
    NestedBuffer& operator=(const NestedBuffer&) = delete;
    ~NestedBuffer() { spare_ = std::exchange(context_.readBuffer, std::move(outer_)); }

private:
    LoopContext& context_;
    std::unique_ptr<char[]>& spare_;
    std::unique_ptr<char[]> outer_;
};

std::shared_ptr<EmbeddedLoop> EmbeddedLoop::embed(UvReactor& reactor, const Options& options) {
    reactor.checkThread();
    if (uv_version() < kOldestLibuv)
        throw std::logic_error("embedding needs libuv 1.44 or newer");
    if (options.budget.count() < 0)
        throw std::invalid_argument("embed: budget is negative");
    if (options.patience.count() < 0)
        throw std::invalid_argument("embed: patience is negative");
    auto loop = std::make_shared<EmbeddedLoop>(reactor, options);
    reactor.becomeEmbedded(loop);
    if (loop->patience_->isLimited())
        reactor.watchInbox(loop->patience_);
    loop->poll();
    loop->touched(); // what was begun before
    return loop;
}

EmbeddedLoop::EmbeddedLoop(UvReactor& reactor, const Options& options)
    : reactor_(&reactor), options_(options),
      patience_(std::make_shared<Patience>(std::min<std::chrono::milliseconds>(options.patience, kLongestOption),
                                           uv_backend_fd(reactor.loop()))) {
    options_.budget = std::min<std::chrono::microseconds>(options.budget, kLongestOption);
    if (options_.singleDescriptor)
        alarm_.emplace(reactor.context());
}

int EmbeddedLoop::descriptor() const noexcept {
    return reactor_ ? uv_backend_fd(reactor_->loop()) : -1;
}

// The host is about to wait: inside a callback of ours that means that its loop runs there. (Not in a function of the
// host's that a write of that callback, or the sending of its writes, has called.)
std::optional<std::chrono::milliseconds> EmbeddedLoop::timeout() noexcept {
    using std::chrono::milliseconds;
    if (!reactor_ || ending_)
        return std::nullopt;
    reactor_->checkThread();
    host_ = Host::Unaware;
    if (!telling_) {
        reactor_->turn().releaseCork();
        reactor_->turn().leaveTurn();
    }
    const std::optional<TimePoint> wake = nextWake();
    const TimePoint now = wake || patience_->isWaiting() ? reactor_->readClock() : TimePoint();
    expectHost(wake, now);
    if (alarm_) {
        alarm_->set(wake);
        return std::nullopt;
    }
    if (!wake)
        return std::nullopt;
    const Duration left = *wake - now;
    return std::clamp(std::chrono::ceil<milliseconds>(left), milliseconds(0), kLongestWait);
}

// Of our own: the descriptor does not tell of it.
bool EmbeddedLoop::hasWork() const noexcept {
    const LoopContext& context = reactor_->context();
    core::TurnCore& turn = reactor_->turn();
    return turn.isBusy() || turn.hasUnfinished() || !context.ready.empty() || !context.delivering.empty();
}

// libuv's own timers are those of somebody's handles on our loop; they count from its time, which may be old.
std::optional<TimePoint> EmbeddedLoop::nextWake() noexcept {
    if (hasWork())
        return kNow;
    uv_loop_t* loop = reactor_->loop();
    int wait = uv_backend_timeout(loop);
    if (wait == 0 && uv_loop_alive(loop) != 0)
        return kNow;
    std::optional<TimePoint> wake = reactor_->turn().nextEvent();
    if (wait > 0) {
        uv_update_time(loop);
        wait = uv_backend_timeout(loop);
        const TimePoint due = reactor_->readClock() + std::chrono::milliseconds(wait);
        wake = wake ? std::min(*wake, due) : due;
    }
    return wake;
}

EmbeddedLoop::Outcome EmbeddedLoop::dispatch() {
    ++dispatches_;
    if (!reactor_ || ending_)
        return Outcome::Stopped;
    reactor_->checkThread();
    if (polling_ || telling_)
        return Outcome::Busy;
    const std::shared_ptr<EmbeddedLoop> self = shared_from_this(); // a callback may drop the last handle
    if (patience_->isWaiting())
        lookForHost(reactor_->readClock());
    patience_->hostCame();
    runTurn();
    if (depth_ == 0)
        finishStop();
    if (!reactor_)
        return Outcome::Stopped;
    const std::optional<TimePoint> wake = nextWake();
    if (alarm_)
        alarm_->set(wake);
    const bool more = wake && (*wake == kNow || *wake <= reactor_->readClock());
    patience_->hostCame();
    if (wake && !more)
        patience_->hostShallCome(*wake);
    if (stopped_ && !reactor_->isStarted())
        return Outcome::Stopped; // calls that schedule themselves would hide it for ever
    return more ? Outcome::More : Outcome::Idle;
}

void EmbeddedLoop::runTurn() {
    const bool nested = depth_ != 0;
    const TimePoint outerEnd = budgetEnd_;
    std::optional<NestedBuffer> buffer;
    if (nested)
        buffer.emplace(reactor_->context(), spareBuffer_);
    reactor_->turn().releaseCork(); // of a callback that the program runs itself, too (Transport::guarded)
    ++depth_;
    runPhases();
    --depth_;
    budgetEnd_ = outerEnd;
    if (nested && reactor_->isStopping())
        stopHeld_ = true;
    host_ = Host::Unaware; // nested: back in the host's loop, inside a callback
}

void EmbeddedLoop::runPhases() {
    core::TurnCore& turn = reactor_->turn();
    host_ = Host::Dispatches;
    if (options_.budget.count() != 0)
        budgetEnd_ = turn.freshNow() + options_.budget;
    turn.beforeHostedPoll();
    poll();
    deliver();
    turn.afterHostedPoll();
}

// A host's loop may have run inside of it: that is over.
bool EmbeddedLoop::goesOnAfterCall() noexcept {
    if (std::exchange(host_, Host::Dispatches) != Host::Dispatches)
        patience_->hostCame();
    reactor_->turn().resumeTurn();
    return budgetEnd_ == TimePoint::max() || reactor_->readClock() < budgetEnd_;
}

// Tells the kernel of what is to be watched, too: of the alarm's descriptor, for one, which wakes nobody before.
void EmbeddedLoop::poll() {
    polling_ = true;
    uv_run(reactor_->loop(), UV_RUN_NOWAIT);
    polling_ = false;
}

// What is ready, one event for each; what dispatches further out have not come to is first.
// Streams are asked whether a callback of theirs is on the stack: of a dispatch further out, or of the program's.
void EmbeddedLoop::deliver() {
    LoopContext& context = reactor_->context();
    context.delivering.takeAll(context.ready);
    while (!context.delivering.empty()) {
        Ready& object = context.delivering.popFront();
        object.onReadyNested(object.readyStatus, object.readyEvents);
        if (!goesOnAfterCall())
            break;
    }
}

// Beneath all dispatches there is a callback that the program runs itself: what it runs shall not end under it.
bool EmbeddedLoop::isHeld() const noexcept {
    return reactor_->inside() || reactor_->turn().hasOutsideCalls();
}

// Nothing of ours is on the stack here, so a stop that a dispatch inside another asked for can go on.
void EmbeddedLoop::finishStop() noexcept {
    if (reactor_->isStarted())
        stopped_ = false;
    if (isHeld()) {
        if (reactor_->isStarted() && (reactor_->isStopping() || reactor_->leaving()))
            reactor_->turn().requestTurnAfterCalls();
        return;
    }
    if (std::exchange(stopHeld_, false))
        reactor_->turn().requestTurn();
    if (!reactor_->endIfLeft())
        return;
    stopped_ = true;
    ++stopsToTell_;
    tellStopped();
}

// It may destroy the reactor. A host's loop may run in there, start and stop: that is told when it has returned.
void EmbeddedLoop::tellStopped() noexcept {
    if (std::exchange(tellingStopped_, true))
        return;
    while (reactor_ && stopsToTell_ != 0) {
        --stopsToTell_;
        reactor_->tellStopped();
    }
    tellingStopped_ = false;
}

// The end of a dispatch sees to what changes inside of it.
void EmbeddedLoop::touched() noexcept {
    if (!reactor_ || ending_ || host_ == Host::Dispatches)
        return;
    if (alarm_ || patience_->isLimited()) {
        const std::optional<TimePoint> wake = nextWake();
        expectHost(wake, reactor_->readClock());
        if (alarm_) {
            if (wake)
                alarm_->setAtLatest(*wake);
            return;
        }
    }
    if (host_ == Host::Told || !onChange_)
        return;
    host_ = Host::Told;
    tell(onChange_);
}

void EmbeddedLoop::tell(std::shared_ptr<Function<void()>> f) noexcept {
    const bool outer = std::exchange(telling_, true);
    reactor_->turn().guard("a host's function", *f);
    telling_ = outer;
}

// Notes when the host shall have dispatched, and looks whether it should have long ago. What is due at once is so since
// the first look: before, there was a dispatch.
void EmbeddedLoop::expectHost(std::optional<TimePoint> wake, TimePoint now) noexcept {
    if (!wake)
        return patience_->hostCame();
    if (*wake > now)
        patience_->hostCame();
    patience_->hostShallCome(std::max(*wake, now));
    lookForHost(now);
}

void EmbeddedLoop::lookForHost(TimePoint now) noexcept {
    const std::optional<Duration> late = patience_->overdue(now);
    if (!late)
        return;
    core::TurnCore& turn = reactor_->turn();
    const std::optional<TimePoint> due = turn.nextEvent();
    turn.guard("embedded reactor", [&] {
        patience_->report(*late, fmt::format("{}{}{}", due && *due <= now ? ", timed calls" : "",
                                             turn.hasWork() ? ", writes or ends of connections" : "",
                                             turn.hasPosted() ? ", calls from threads" : ""));
    });
}

void EmbeddedLoop::onChange(Function<void()> f) {
    if (!reactor_)
        return;
    reactor_->checkThread();
    if (f && onChange_)
        throw std::logic_error("onChange: this reactor has a host already");
    onChange_ = f ? std::make_shared<Function<void()>>(std::move(f)) : nullptr;
    if (host_ == Host::Told)
        host_ = Host::Unaware; // another one, at most
}

void EmbeddedLoop::onGone(Function<void()> f) {
    if (!reactor_)
        return;
    reactor_->checkThread();
    if (f && onGone_)
        throw std::logic_error("onGone: this reactor has a host already");
    onGone_ = f ? std::make_shared<Function<void()>>(std::move(f)) : nullptr;
}

// Connections and whoever else is told of the end may run a host's loop: that watches us no more, and finds nothing to
// do. Inside of a callback the program is about to end.
void EmbeddedLoop::reactorEnds() noexcept {
    if (isInside() || isHeld())
        return;
    if (patience_->isWaiting())
        lookForHost(reactor_->readClock());
    ending_ = true;
    if (onGone_)
        tell(onGone_);
}

void EmbeddedLoop::reactorGone() noexcept {
    alarm_.reset();
    onChange_.reset();
    onGone_.reset();
    reactor_->context().embedded = nullptr;
    reactor_ = nullptr;
}

void EmbeddedLoop::touch() {
    if (!reactor_)
        return;
    reactor_->checkThread();
    touched();
}

// A timer that was shared with the parent process would be set by both.
void EmbeddedLoop::afterFork() {
    if (!reactor_)
        return;
    reactor_->checkThread();
    if (isInside() || isHeld())
        throw std::logic_error("afterFork() inside a dispatch");
    reactor_->renewWakeUp();
    if (const int error = uv_loop_fork(reactor_->loop()); error != 0)
        throw std::system_error(-error, std::generic_category(), "cannot use a loop after fork()");
    ++generation_;
    if (alarm_)
        alarm_.emplace(reactor_->context());
    poll();
    touched();
}

} // namespace torsion::uv
