#include <reactor/libuv/uv_reactor.hpp>

#include <reactor/errors.hpp>
#include <reactor/libuv/embedded_loop.hpp>
#include <reactor/libuv/loop_context.hpp>
#include <reactor/libuv/loop_hooks.hpp>
#include <reactor/libuv/secure_random.hpp>
#include <reactor/libuv/signals.hpp>
#include <reactor/libuv/tcp_connect.hpp>
#include <reactor/libuv/tcp_port.hpp>
#include <reactor/libuv/thread_resolver.hpp>
#include <reactor/log.hpp>

#include <sys/types.h>
#include <unistd.h>
#include <uv.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace torsion {

namespace {

// An owned loop's handles are closed within a few iterations; more would mean that one is not ours.
constexpr int kCloseIterations = 1000;

std::uint64_t wholeMilliseconds(Duration wait) {
    const auto rounded = std::chrono::ceil<std::chrono::milliseconds>(wait).count();
    return static_cast<std::uint64_t>(std::max<std::int64_t>(rounded, 0));
}

std::uint64_t seedFromSystem() {
    SecureRandom random;
    return random.next();
}

// What keeps a loop from being closed.
struct OpenHandles {
    std::string names; // of those that nobody closes
    int closing = 0;   // those whose close callback is still to come
};

OpenHandles openHandles(uv_loop_t* loop) {
    OpenHandles result;
    uv_walk(
        loop,
        [](uv_handle_t* handle, void* argument) {
            OpenHandles& found = *static_cast<OpenHandles*>(argument);
            if (uv_is_closing(handle)) {
                ++found.closing;
            } else {
                found.names += found.names.empty() ? "" : ", ";
                found.names += uv_handle_type_name(uv_handle_get_type(handle));
            }
        },
        &result);
    return result;
}

// Freeing the loop under somebody's handle would be worse than keeping it. A leak checker can reach it from here.
void keepForEver(uv_loop_t* loop, const std::string& handles) noexcept {
    try {
        static std::mutex mutex;
        static auto& kept = *new std::vector<uv_loop_t*>;
        const std::lock_guard lock(mutex);
        kept.push_back(loop);
        log::error("a reactor's loop is never freed, because what others opened on it is still open: {}",
                   handles.empty() ? "requests" : handles);
    } catch (...) { // there is no memory, or the log throws: the loop is kept all the same
    }
}

struct CloseLoop {
    void operator()(uv_loop_t* loop) const {
        int result = uv_loop_close(loop);
        OpenHandles open;
        for (int i = 0; i < kCloseIterations && result == UV_EBUSY; ++i) {
            open = openHandles(loop);
            if (open.closing == 0)
                break;
            uv_run(loop, UV_RUN_NOWAIT);
            result = uv_loop_close(loop);
        }
        if (result != 0)
            return keepForEver(loop, open.names);
        delete loop;
    }
};
using OwnLoop = std::unique_ptr<uv_loop_t, CloseLoop>;

OwnLoop newLoop() {
    auto loop = std::make_unique<uv_loop_t>();
    if (const int error = uv_loop_init(loop.get()); error != 0)
        throw std::system_error(-error, std::generic_category(), "cannot make a loop");
    return OwnLoop(loop.release());
}

} // namespace

struct UvReactor::Impl final : uv::LoopListener {
    /// @param foreign the caller's loop, or null to make one.
    Impl(UvReactor& owner, uv_loop_t* foreign, const ReactorOptions& reactorOptions)
        : reactor(owner), options(reactorOptions), ownLoop(foreign ? nullptr : newLoop()),
          context{foreign ? foreign : ownLoop.get(), owner.turn(), reactorOptions.dispatch == Dispatch::Direct},
          hooks(std::in_place, context.loop, *this, ownLoop != nullptr) {}

    void onPrepare() override { reactor.prepare(); }
    void onCheck() override { reactor.check(); }

    UvReactor& reactor;
    ReactorOptions options;
    OwnLoop ownLoop; // null on a foreign loop
    uv::LoopContext context;
    std::optional<uv::LoopHooks> hooks;
    std::optional<uv::LoopHooks::KeepAlive> pending; // while something is under way elsewhere
    std::optional<uv::Signals> signals;
    std::optional<int> signal;
    pid_t process = ::getpid(); // that the descriptors are of
    std::shared_ptr<uv::EmbeddedLoop> embedded;
    std::optional<uv::LoopHooks::KeepAlive> stopping; // of a stop() on a foreign loop
    std::shared_ptr<Function<void()>> stopped;        // whom onStopped() named
    std::optional<TimePoint> alarm;                   // what the hooks' alarm is set for
    std::optional<TimePoint> waitUntil;               // of iterate(wait)
    bool turning = false;                             // we run the loop ourselves
    bool bounded = false;                             // the last poll was: busy, or with an alarm
    SecureRandom secureRandom;
};

/// While we run the loop ourselves.
struct UvReactor::Turning {
    explicit Turning(Impl& impl) noexcept : impl_(impl) { impl_.turning = true; }
    Turning(const Turning&) = delete;
    Turning& operator=(const Turning&) = delete;
    ~Turning() { impl_.turning = false; }
    Impl& impl_;
};

UvReactor::UvReactor(const ReactorOptions& options) : UvReactor(nullptr, options) {}

UvReactor::UvReactor(uv_loop_t* loop, const ReactorOptions& options)
    : ReactorCore([this] { impl_->hooks->wake(); }, std::make_unique<SeededRandom>(seedFromSystem())),
      impl_(std::make_unique<Impl>(*this, loop, options)) {
    resolver_ = std::make_unique<ThreadResolver>(remote());
}

// What is left on an owned loop then are handles that are closing; the loop is run until they are closed.
// In a child its descriptors are the parent's: epoll would let the parent's sockets go, and what is queued be sent
// twice.
UvReactor::~UvReactor() {
    if (impl_->ownLoop && impl_->process != ::getpid()) {
        std::fputs(
            "torsion: a reactor was destroyed in a child process, which disturbs its parent: end a child with exec "
            "or _exit, or go on with Embedding::afterFork()\n",
            stderr);
        std::terminate();
    }
    if (impl_->embedded)
        impl_->embedded->reactorEnds();
    endEverything();
    resolver_.reset();
    if (impl_->embedded)
        impl_->embedded->reactorGone();
}

void UvReactor::checkRunnable() const {
    if (impl_->embedded)
        throw std::logic_error("run() or iterate() on an embedded reactor: its host's loop drives it, after start()");
    if (!impl_->ownLoop && !impl_->options.runForeignLoop)
        throw std::logic_error("run() or iterate() on a foreign loop: its owner runs it (or set runForeignLoop)");
}

// While we run a foreign loop, it must not end for want of handles that count.
void UvReactor::runTurns() {
    const uv::LoopHooks::KeepAlive alive(*impl_->hooks);
    const Turning turning(*impl_);
    prepareFirst();
    while (!leaving())
        uv_run(impl_->context.loop, UV_RUN_DEFAULT);
}

void UvReactor::runOneTurn(Duration wait) {
    const uv::LoopHooks::KeepAlive alive(*impl_->hooks);
    const Turning turning(*impl_);
    impl_->waitUntil = readClock() + std::max(wait, Duration::zero());
    impl_->bounded = true;
    prepareFirst();
    uv_run(impl_->context.loop, wait > Duration::zero() ? UV_RUN_ONCE : UV_RUN_NOWAIT);
    impl_->waitUntil.reset();
}

// On an owned loop each poll is prepared by the check after the one before; the first has none before it.
void UvReactor::prepareFirst() {
    if (impl_->ownLoop)
        prepare();
}

// uv_stop() outside of uv_run() would swallow the owner's next turn.
void UvReactor::interrupt() noexcept {
    if (impl_->turning)
        uv_stop(impl_->context.loop);
    else
        turn().requestTurn();
}

bool UvReactor::isRunByOthers() const noexcept {
    return impl_->embedded || !impl_->ownLoop;
}

void UvReactor::becomeEmbedded(std::shared_ptr<uv::EmbeddedLoop> loop) {
    if (!impl_->ownLoop)
        throw std::logic_error("embed() on a foreign loop, which its owner runs already");
    if (impl_->embedded)
        throw std::logic_error("embed() on a reactor that is embedded already");
    if (isStarted() || inside() || isInsideCallback())
        throw std::logic_error("embed() on a reactor that runs");
    impl_->hooks->leaveTurns();
    impl_->alarm.reset();
    impl_->bounded = false;
    impl_->context.direct = false;
    impl_->context.embedded = loop.get();
    impl_->embedded = std::move(loop);
}

void UvReactor::renewWakeUp() {
    impl_->process = ::getpid();
    impl_->hooks->afterFork();
}

void UvReactor::start() {
    if (!isRunByOthers())
        throw std::logic_error("start() on a reactor with a loop of its own: run() runs it, or embed() it first");
    begin();
    turn().requestTurn();
}

// Until the owner's loop has done it, it must not end.
void UvReactor::stop(StopOptions options) {
    ReactorCore::stop(options);
    if (!impl_->ownLoop && !impl_->turning)
        impl_->stopping.emplace(*impl_->hooks);
}

void UvReactor::onStopped(Function<void()> f) {
    checkThread();
    impl_->stopped = f ? std::make_shared<Function<void()>>(std::move(f)) : nullptr;
}

// It may destroy this object.
void UvReactor::tellStopped() noexcept {
    if (const auto stopped = impl_->stopped)
        turn().guard("onStopped", *stopped);
}

void UvReactor::onStarted() {
    impl_->signal.reset();
    if (!impl_->options.handleSignals || isRunByOthers())
        return;
    impl_->signals.emplace(impl_->context.loop, [this](int number) {
        impl_->signal = number;
        try {
            stop();
        } catch (const ReactorNotRunning&) { // it is stopping already
        }
    });
}

// Nothing is left that would keep a foreign loop from ending.
void UvReactor::onRunEnded() noexcept {
    impl_->signals.reset();
    impl_->stopping.reset();
    if (!impl_->ownLoop)
        boundPoll();
}

bool UvReactor::isNested() const noexcept {
    return impl_->embedded && impl_->embedded->isNested();
}

void UvReactor::onPending(bool any) {
    if (any)
        impl_->pending.emplace(*impl_->hooks);
    else
        impl_->pending.reset();
}

// Before the poll: what is due, what is dirty, and then how long to wait.
void UvReactor::prepare() {
    ++impl_->context.inside;
    preparePoll();
    --impl_->context.inside;
}

inline void UvReactor::preparePoll() {
    turn().beforePoll();
    if (impl_->bounded || !turn().isQuiet() || !impl_->context.ready.empty())
        boundPoll();
    turn().timePassed();
}

void UvReactor::boundPoll() {
    std::optional<TimePoint> due = turn().nextEvent();
    const bool busy = turn().isBusy() || !impl_->context.ready.empty();
    uv::LoopHooks& hooks = *impl_->hooks;
    if (impl_->waitUntil && (!due || *due > *impl_->waitUntil))
        due = impl_->waitUntil;
    impl_->bounded = busy || due;
    hooks.setBusy(busy);
    if (!due) {
        hooks.clearAlarm();
        impl_->alarm.reset();
    } else if (!busy && (!hooks.alarmSet() || impl_->alarm != due)) {
        hooks.setAlarm(wholeMilliseconds(*due - turn().now()));
        impl_->alarm = due;
    }
}

// An owned loop's next poll is prepared here. The owner of a foreign one may ask libuv, before its prepare, how long it
// may wait, and whether anything is left to run for: what this phase began has to show.
void UvReactor::check() {
    ++impl_->context.inside;
    impl_->context.deliverReady();
    turn().afterPoll();
    if (impl_->ownLoop) {
        if (!leaving() && !impl_->waitUntil) // iterate() is one turn
            preparePoll();
        --impl_->context.inside;
        return;
    }
    if (impl_->bounded || !turn().isQuiet())
        boundPoll();
    --impl_->context.inside;
    if (leaving() && !impl_->turning && endIfLeft())
        tellStopped(); // the last thing: it may destroy this object
}

bool UvReactor::isInsideCallback() const noexcept {
    return impl_ && (impl_->context.inside != 0 || (impl_->embedded && impl_->embedded->isInside()));
}

TimePoint UvReactor::readClock() const noexcept {
    return TimePoint::fromNanoseconds(static_cast<std::int64_t>(uv_hrtime()));
}

TimePoint UvReactor::roughNow() const noexcept {
    return TimePoint::fromNanoseconds(static_cast<std::int64_t>(uv_now(impl_->context.loop)) * 1'000'000);
}

// A check follows whatever callback of ours we are called from. From elsewhere (a handle of the user's own) the loop
// may be about to wait: an active idle handle keeps it from that, and the next turn sees to the rest.
void UvReactor::touched() noexcept {
    if (!impl_ || impl_->context.inside != 0)
        return;
    if (impl_->embedded)
        return impl_->embedded->touched();
    impl_->bounded = true;
    impl_->hooks->setBusy(true);
}

bool UvReactor::goesOnAfterCall() noexcept {
    return impl_->embedded->goesOnAfterCall();
}

void UvReactor::keepAlive(bool more) noexcept {
    impl_->hooks->keepAlive(more);
}

std::optional<int> UvReactor::stoppedBySignal() const noexcept {
    return impl_->signal;
}

uv_loop_t* UvReactor::loop() const noexcept {
    return impl_->context.loop;
}

uv::LoopContext& UvReactor::context() noexcept {
    return impl_->context;
}

Random& UvReactor::secureRandom() {
    return impl_->secureRandom;
}

// Time stands still in our callbacks alone: the loop may wait after one of the user's own handles, and what that was
// told must not be kept.
TimePoint UvReactor::now() const {
    return isInsideCallback() ? ReactorCore::now() : readClock();
}

std::chrono::system_clock::time_point UvReactor::wall() const {
    return std::chrono::system_clock::now();
}

std::unique_ptr<core::Acceptor> UvReactor::openAcceptor(const core::ListenSpec& spec, core::AcceptEvents& events) {
    return std::make_unique<uv::TcpPort>(impl_->context, spec, events);
}

std::unique_ptr<core::Connecting> UvReactor::beginConnecting(const Address& address, const core::ConnectSpec& spec,
                                                             core::ConnectEvents& events) {
    return std::make_unique<uv::TcpConnect>(impl_->context, address, spec, events);
}

} // namespace torsion
