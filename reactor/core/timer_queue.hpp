#pragma once

#include <reactor/clock.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <type_traits>
#include <vector>

namespace torsion {

/// The timed calls of a reactor or of a test clock: the one implementation of callLater's rules.
///
/// - Calls are made in the order of (time, sequence number); the number is given when a call is scheduled, reset or
///   delayed (S-131).
/// - A turn, runDue(), makes only the calls that were in the queue and due when it began (S-132). A call that is
///   scheduled meanwhile is taken to be due no earlier than the turn, so that it comes after those.
/// - Cancelling takes the call out and destroys its callable at once (S-135). No call leaves anything behind.
/// - Memory is kept for as many calls as were outstanding at once; nothing is allocated below that.
///
/// Owned by its clock; belongs to the clock's thread. Everything may be called inside the calls it makes, and the queue
/// may be destroyed there; handles may live longer than the queue.
class TimerQueue {
public:
    /// What a queue needs of the clock it belongs to.
    class Host {
    public:
        /// The time, read afresh: reset() counts from it.
        virtual TimePoint readTime() = 0;

        /// nextDue() may be another than before, for another reason than runDue().
        virtual void nextDueChanged() noexcept {}

        /// A handle of a call is used: debug builds of a clock with a thread end the program on another.
        virtual void checkThread() const noexcept {}

    protected:
        ~Host() = default;
    };

    enum class Kind : std::uint8_t {
        User,
        Internal, ///< One of the library's own: not counted by size(), not listed by getDelayedCalls().
    };

    /// What has been done with the queue since it was made, internal calls included.
    struct Counters {
        std::uint64_t scheduled = 0;
        std::uint64_t moved = 0; ///< Reset or delayed.
        std::uint64_t cancelled = 0;
        std::uint64_t called = 0;
    };

    /// @param host lives as long as the queue.
    /// @param firstSequence the first sequence number; for tests of what happens when they run out.
    explicit TimerQueue(Host& host, std::uint32_t firstSequence = 0);

    /// Cancels what is pending, in no particular order.
    ~TimerQueue();

    TimerQueue(const TimerQueue&) = delete;
    TimerQueue& operator=(const TimerQueue&) = delete;

    /// Adds a call. May throw std::bad_alloc, and changes nothing then.
    DelayedCall schedule(TimePoint due, Function<void()>&& call, Kind kind = Kind::User);

    /// When the next call is to be made, internal ones included; it may lie in the past. Empty when there is none.
    std::optional<TimePoint> nextDue() const noexcept;

    /// The first time after `time` at which a call is due. Empty when there is none. Looks at every call: for clocks
    /// that step.
    std::optional<TimePoint> nextDueAfter(TimePoint time) const;

    /// Makes the calls due at `now`, in order, each through `invoke(Function<void()>& call)`, which guards it. When
    /// `invoke` returns false, or throws, the remaining calls keep their times and their order. A callable is destroyed
    /// after its call has returned. May be called inside a call: that is a turn of its own.
    /// @return how many calls were made.
    template <class Invoke>
    std::size_t runDue(TimePoint now, Invoke&& invoke) {
        Run run(*state_, now);
        std::size_t count = 0;
        Function<void()> call;
        while (run.take(call)) {
            ++count;
            if constexpr (std::is_void_v<std::invoke_result_t<Invoke&, Function<void()>&>>) {
                invoke(call);
            } else if (!invoke(call)) {
                break;
            }
            call.reset();
        }
        return count;
    }

    /// Pending calls of the kind User.
    std::size_t size() const noexcept;

    /// The pending calls of the kind User, in the order in which they would be made.
    std::vector<DelayedCall> getDelayedCalls() const;

    /// Of this queue. Costs an increment each.
    const Counters& counters() const noexcept;

private:
    class State;

    /// A turn in progress.
    class Run {
    public:
        Run(State& state, TimePoint now) noexcept;
        ~Run();
        Run(const Run&) = delete;
        Run& operator=(const Run&) = delete;

        /// Moves the next due call out of the queue into `call`, which is empty. False when the turn is over.
        bool take(Function<void()>& call) noexcept;

    private:
        friend class State;

        State& state_;
        Run* outer_;
        TimePoint now_;
        std::uint32_t end_; // calls from this number on came after the turn began
    };

    // Lives until the last handle is gone.
    State* state_;
};

} // namespace torsion
