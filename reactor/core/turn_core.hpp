#pragma once

#include <reactor/clock.hpp>
#include <reactor/core/inbox.hpp>
#include <reactor/core/intrusive_list.hpp>
#include <reactor/core/timer_queue.hpp>
#include <reactor/core/write_queue.hpp>
#include <reactor/function.hpp>
#include <reactor/reactor.hpp>

#include <atomic>
#include <cstddef>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace torsion::core {

class StreamCore;

/// Where the writes of the running callback gather, until it returns and they leave in one system call. One for each
/// reactor; `owner` is the stream whose callback runs.
class Cork {
public:
    static constexpr std::size_t kCapacity = 64 * 1024;

    StreamCore* owner = nullptr;

    std::size_t size() const noexcept { return size_; }
    std::string_view view() const noexcept { return {buffer_.get(), size_}; }
    void clear() noexcept { size_ = 0; }

    /// False when there is no room for all of `bytes`; nothing was appended then.
    bool append(std::string_view bytes) noexcept {
        if (bytes.size() > kCapacity - size_)
            return false;
        std::memcpy(buffer_.get() + size_, bytes.data(), bytes.size());
        size_ += bytes.size();
        return true;
    }

private:
    std::unique_ptr<char[]> buffer_ = std::make_unique_for_overwrite<char[]>(kCapacity);
    std::size_t size_ = 0;
};

struct DirtyTag;
struct ClosingTag;
struct LiveTag;
struct LingerTag;

/// Something with work for the flush phase: bytes to send, a producer to resume, a close to carry on.
class Flushable : public ListHook<DirtyTag> {
public:
    virtual void onFlush() = 0;

protected:
    ~Flushable() = default;
};

/// Something whose end is to be told in the close phase.
class Closing : public ListHook<ClosingTag> {
public:
    /// May destroy this object.
    virtual void onClosePhase() = 0;

protected:
    ~Closing() = default;
};

/// Anything open that belongs to the reactor, in the order of creation.
class Live : public ListHook<LiveTag> {
public:
    virtual Endpoint endpoint() const = 0;
    /// The reactor ends: close, and tell in the close phase.
    virtual void onShutdown() = 0;
    /// The reactor drains: no new work; finish what is begun.
    virtual void onDrain() = 0;

    std::uint64_t sequence = 0; ///< grows along the list

protected:
    ~Live() = default;
};

/// A closed stream that waits for its peer.
class Lingering : public ListHook<LingerTag> {
public:
    /// Too many linger: end now.
    virtual void onLingerCut() = 0;

protected:
    ~Lingering() = default;
};

/// What a turn needs from its backend.
class TurnHost {
public:
    virtual TimePoint readClock() const noexcept = 0;

    /// The time of the last wait's end, to a millisecond; costs nothing.
    virtual TimePoint roughNow() const noexcept { return readClock(); }

    /// Something is to be done though no event may come: the next waiting must be short (and one that a host's loop has
    /// begun must end).
    virtual void touched() noexcept = 0;

    /// After `TurnCore::watchPhases(true)`: a phase's user code has run, and none is on the stack: the place to carry a
    /// shutdown on.
    virtual void betweenPhases() = 0;

    /// In hosted turns: user code that a phase called has returned. False: the phase ends here, and leaves the rest.
    virtual bool goesOnAfterCall() noexcept { return true; }

protected:
    ~TurnHost() = default;
};

/// One turn of a reactor, in every mode and on every backend:
///
///     beforePoll:  timed calls that are due, in order  ->  flush what is dirty  ->  (the backend picks its time-out)
///     poll:        the backend reports events; streams and ports call user code
///     afterPoll:   calls from other threads  ->  flush what is dirty  ->  closings
///
/// Holds what the objects of one reactor share: cork, chunk pool, timers, the lists of dirty, closing and live objects,
/// and the counters. Belongs to the reactor's thread.
class TurnCore final : private TimerQueue::Host {
public:
    explicit TurnCore(TurnHost& host, RemoteInbox& inbox) : host_(host), inbox_(inbox) {}
    TurnCore(const TurnCore&) = delete;
    TurnCore& operator=(const TurnCore&) = delete;

    void beforePoll();
    void afterPoll();

    /// The same for a reactor that a host's loop drives, and that may be driven from inside its own callbacks: it
    /// begins with what a turn on the stack, or `goesOnAfterCall()`, has left.
    void beforeHostedPoll();
    void afterHostedPoll();

    /// Work that was left so.
    bool hasUnfinished() const noexcept { return !flushing_.empty() || !ending_.empty() || !posted_.empty(); }

    /// It waits for the next flush and close phases again, before what has come since.
    void adoptUnfinished() noexcept;

    /// Inside a callback a host's loop begins to run, where time goes on; and the callback has returned.
    void leaveTurn() noexcept {
        inTurn_ = false;
        timePassed();
    }
    void resumeTurn() noexcept { inTurn_ = true; }

    /// Marks user code that is called from outside of a phase: what a program runs with `guarded()`, a producer that
    /// its write pauses, a factory that it has started. A host's loop may run in there. A stop that is asked for then
    /// goes on when that code has returned, and the reactor may not be destroyed before.
    class OutsideCall {
    public:
        explicit OutsideCall(TurnCore& turn) noexcept : turn_(turn) { ++turn_.outsideCalls_; }
        OutsideCall(const OutsideCall&) = delete;
        OutsideCall& operator=(const OutsideCall&) = delete;
        ~OutsideCall() {
            if (--turn_.outsideCalls_ == 0 && std::exchange(turn_.turnHeld_, false)) [[unlikely]]
                turn_.requestTurn();
        }

    private:
        TurnCore& turn_;
    };
    bool hasOutsideCalls() const noexcept { return outsideCalls_ != 0; }

    /// Another turn is needed as soon as they have returned.
    void requestTurnAfterCalls() noexcept { turnHeld_ = true; }

    /// At the reactor's end: calls that were taken from the inbox and not made.
    void dropPosted() noexcept { posted_ = {}; }

    /// The bytes in the cork leave, and no callback's writes gather any more: a host's loop runs inside it.
    void releaseCork();

    /// The flush and close phases alone, for a shutdown.
    void runClosings() {
        if (!closings_.empty())
            runWaitingClosings<false>();
    }
    void runFlushes() {
        if (!dirty_.empty())
            runWaitingFlushes<false>();
    }

    /// The backend must not wait for events: there is work without them.
    bool isBusy() const noexcept { return hasWork() || requested_ || !inbox_.empty(); }

    /// Nothing limits the backend's wait: no work, and no timed call.
    bool isQuiet() const noexcept { return !timersWaiting_ && !isBusy(); }

    /// Until when the backend may wait, when it may; none: until an event comes.
    std::optional<TimePoint> nextEvent() noexcept {
        if (!timersWaiting_)
            return std::nullopt;
        const std::optional<TimePoint> due = timers.nextDue();
        timersWaiting_ = due.has_value();
        return due;
    }

    /// The time of this phase, read at most once.
    TimePoint now() noexcept {
        if (nowKnown_)
            return now_;
        const TimePoint time = host_.readClock();
        if (inTurn_) { // between turns time goes on
            now_ = time;
            nowKnown_ = true;
        }
        return time;
    }
    /// The time now, which changes nothing of what `now()` says.
    TimePoint freshNow() const noexcept { return host_.readClock(); }
    /// For ages in listings: up to a turn old, and free.
    TimePoint roughNow() const noexcept { return nowKnown_ ? now_ : host_.roughNow(); }

    /// Forgets the time: events have been waited for.
    void timePassed() noexcept { nowKnown_ = false; }

    void markDirty(Flushable& object) noexcept {
        if (object.linked())
            return;
        dirty_.pushBack(object);
        touched();
    }
    void close(Closing& object) noexcept {
        if (object.linked())
            return;
        closings_.pushBack(object);
        touched();
    }
    void touched() noexcept {
        if (!inPhase_)
            host_.touched();
    }

    /// Another turn is needed, whatever events come.
    void requestTurn() noexcept {
        requested_ = true;
        touched();
    }

    /// Whoever asked for one has no need of it any more.
    void forgetRequest() noexcept { requested_ = false; }

    bool hasPosted() const noexcept { return !inbox_.empty() || !posted_.empty(); }
    bool hasWork() const noexcept { return !dirty_.empty() || !closings_.empty(); }

    /// Runs user code that belongs to no connection; what it throws is logged with `what`.
    template <class F>
    void guard(std::string_view what, F&& f) noexcept {
        try {
            f();
        } catch (...) {
            logEscaped(what);
        }
    }

    /// Runs `f` after `delay`, as the reactor's own work: it shows in no listing of delayed calls.
    template <class F>
    DelayedCall callLater(Duration delay, F&& f) {
        return timers.schedule(freshNow() + delay, Function<void()>(std::forward<F>(f)), TimerQueue::Kind::Internal);
    }

    void addLive(Live& object) noexcept {
        object.sequence = ++liveAdded_;
        live_.pushBack(object);
    }
    /// The `sequence` of the youngest so far.
    std::uint64_t liveAdded() const noexcept { return liveAdded_; }
    IntrusiveList<Live, LiveTag>& live() noexcept { return live_; }

    /// A stream began to linger: beyond `limits.lingering` the oldest is cut.
    void beginLinger(Lingering& stream);
    void endLinger(Lingering& stream) noexcept;

    /// The thread that everything of this reactor belongs to: the one that made, runs or destroys it.
    void setThread(std::thread::id thread) noexcept { thread_ = thread; }
    bool isOnThread() const noexcept { return thread_.load(std::memory_order_relaxed) == std::this_thread::get_id(); }
    /// Says so on stderr, and terminates.
    [[noreturn]] static void onWrongThread() noexcept;

    void watchPhases(bool watch) noexcept {
        phasesWatched_ = watch;
        watched_ = phasesWatched_ || slowTurn_ != Duration::zero();
    }
    void setSlowTurn(Duration limit) noexcept {
        slowTurn_ = limit;
        watched_ = phasesWatched_ || slowTurn_ != Duration::zero();
    }
    std::uint64_t nextId() noexcept { return ++lastId_; }

    Cork cork;
    ChunkPool chunks;
    TimerQueue timers{*this};
    ReactorStats stats;
    ReactorLimits limits;

private:
    TimePoint readTime() override { return freshNow(); }
    void nextDueChanged() noexcept override {
        timersWaiting_ = true;
        touched();
    }
    void checkThread() const noexcept override {
        if (!isOnThread())
            onWrongThread();
    }

    /// Calls that were taken from the inbox, in order.
    class Posted {
    public:
        bool empty() const noexcept { return next_ == calls_.size(); }
        std::size_t size() const noexcept { return calls_.size() - next_; }
        void append(std::vector<Function<void()>>&& calls);
        Function<void()> takeFirst() noexcept { return std::move(calls_[next_++]); }

    private:
        std::vector<Function<void()>> calls_;
        std::size_t next_ = 0;
    };

    static void logEscaped(std::string_view what) noexcept;
    template <bool kHosted>
    void runBeforePoll();
    template <bool kHosted>
    void runAfterPoll();
    template <bool kHosted>
    void runTimers();
    void runInbox();
    void runPosted();
    template <bool kHosted>
    void runWaitingFlushes();
    template <bool kHosted>
    void runWaitingClosings();
    void endWatchedTurn();

    TurnHost& host_;
    RemoteInbox& inbox_;
    IntrusiveList<Flushable, DirtyTag> dirty_;
    IntrusiveList<Flushable, DirtyTag> flushing_; // by the flush phase that runs
    IntrusiveList<Closing, ClosingTag> closings_;
    IntrusiveList<Closing, ClosingTag> ending_; // by the close phase that runs
    Posted posted_;                             // in hosted turns
    IntrusiveList<Live, LiveTag> live_;
    IntrusiveList<Lingering, LingerTag> lingering_;
    std::uint64_t lastId_ = 0;
    std::uint64_t liveAdded_ = 0;
    TimePoint now_{};
    TimePoint turnBegan_{};
    Duration beforePollTook_{};
    Duration slowTurn_{};
    std::atomic<std::thread::id> thread_ = std::this_thread::get_id(); // others ask whether it is theirs
    int outsideCalls_ = 0;                                             // on the stack
    bool turnHeld_ = false;
    bool nowKnown_ = false;
    bool inPhase_ = false;
    bool inTurn_ = false;
    bool requested_ = false;
    bool phasesWatched_ = false;
    bool lingersCut_ = false;    // and told so
    bool watched_ = false;       // somebody watches phases or slow turns
    bool timersWaiting_ = false; // the timer queue may hold something
};

} // namespace torsion::core
