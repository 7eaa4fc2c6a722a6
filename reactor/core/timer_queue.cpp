#include <reactor/core/detail/timer_heap.hpp>
#include <reactor/core/detail/timer_pool.hpp>
#include <reactor/core/timer_queue.hpp>

#include <algorithm>
#include <limits>
#include <utility>

namespace torsion {

using detail::DelayedCallNode;
using detail::DelayedCallRef;
using detail::DelayedCallState;
using detail::TimerHeap;
using detail::TimerPool;

/// The queue proper. Apart from the TimerQueue because nodes, which lie in its pool, may outlive that one.
///
/// A call that is put off, as time-outs are all the time, stays where it is in the heap: only its node knows the new
/// time and sequence number, and the entry is behind. So an entry's place is never too late, and it is put right when
/// it comes to the front (S-137). Twice as quick as moving it with a million calls outstanding.
class TimerQueue::State final : public detail::DelayedCallOwner {
public:
    State(Host& host, std::uint32_t firstSequence) : host_(&host), nextSequence_(firstSequence) {}

    DelayedCall schedule(TimePoint due, Function<void()>&& call, Kind kind);
    void close() noexcept;

    const TimerHeap::Entry* front() noexcept;
    std::optional<TimePoint> firstAfter(TimePoint time);
    std::size_t size() const noexcept { return heap_.size() - internalCalls_; }
    std::vector<DelayedCall> list() const;
    const Counters& counters() const noexcept { return counters_; }

    void checkThread() const noexcept {
#ifndef NDEBUG
        if (host_ != nullptr)
            host_->checkThread();
#endif
    }
    void cancel(DelayedCallNode& node) noexcept override;
    void resetFromNow(DelayedCallNode& node, Duration fromNow) override;
    void resetTo(DelayedCallNode& node, TimePoint due) override;
    void release(DelayedCallNode& node) noexcept override;

private:
    friend class TimerQueue::Run;

    void ensureSequence();
    TimerHeap::Entry makeEntry(DelayedCallNode& node) noexcept;
    TimerHeap::Entry putRight(const TimerHeap::Entry& entry) const noexcept;
    void putAllRight();
    void takeOut(DelayedCallNode& node, DelayedCallState state) noexcept;
    void dropReference(DelayedCallNode& node) noexcept;
    void notify() noexcept;
    void destroyIfUnused() noexcept;

    TimerHeap heap_;
    TimerPool pool_;
    Host* host_; // null once the queue's destruction has begun
    bool closed_ = false;
    Run* innermostRun_ = nullptr;
    std::size_t internalCalls_ = 0;
    std::uint32_t nextSequence_;
    Counters counters_;
};

DelayedCall TimerQueue::State::schedule(TimePoint due, Function<void()>&& call, Kind kind) {
    ensureSequence();
    DelayedCallNode& node = pool_.take();
    node.owner = this;
    node.due = due;
    DelayedCall handle{DelayedCallRef(&node)};
    if (host_ == nullptr) {
        node.state = DelayedCallState::Cancelled;
        return handle;
    }
    // When this throws the node is nobody's but the handle's.
    heap_.reserve(pool_.capacity());
    ++node.references;
    node.internal = kind == Kind::Internal;
    node.call = std::move(call);
    internalCalls_ += node.internal ? 1 : 0;
    ++counters_.scheduled;
    heap_.push(makeEntry(node));
    if (heap_.isFront(node.slot))
        notify();
    return handle;
}

/// Cancels all, from the end of the heap so that nothing needs sifting. What callables schedule when they are destroyed
/// is cancelled from the start.
void TimerQueue::State::close() noexcept {
    host_ = nullptr;
    while (!heap_.empty())
        cancel(pool_.at(heap_.entries().back().slot));
    closed_ = true;
    destroyIfUnused();
}

void TimerQueue::State::cancel(DelayedCallNode& node) noexcept {
    checkThread();
    const bool wasFront = heap_.isFront(node.slot);
    takeOut(node, DelayedCallState::Cancelled);
    ++counters_.cancelled;
    if (wasFront)
        notify();
    // The callable's destructor may come back here, for another node.
    node.call.reset();
    dropReference(node);
}

void TimerQueue::State::resetFromNow(DelayedCallNode& node, Duration fromNow) {
    // While the queue is being destroyed there is no time any more, and the node will be cancelled.
    if (host_ != nullptr)
        resetTo(node, host_->readTime() + fromNow);
}

void TimerQueue::State::resetTo(DelayedCallNode& node, TimePoint due) {
    checkThread();
    ensureSequence();
    const bool wasFront = heap_.isFront(node.slot);
    const bool isPutOff = due >= node.due && !node.held;
    node.due = due;
    const TimerHeap::Entry entry = makeEntry(node);
    if (!isPutOff || node.held)
        heap_.update(entry);
    ++counters_.moved;
    if (wasFront || heap_.isFront(node.slot))
        notify();
}

void TimerQueue::State::release(DelayedCallNode& node) noexcept {
    pool_.put(node);
    destroyIfUnused();
}

/// When the sequence numbers have run out, once in four thousand million calls: numbers the entries from 0 again, in
/// the order they had.
void TimerQueue::State::ensureSequence() {
    if (nextSequence_ != std::numeric_limits<std::uint32_t>::max()) [[likely]]
        return;
    putAllRight();
    std::vector<TimerHeap::Entry*> order;
    order.reserve(heap_.size());
    for (TimerHeap::Entry& entry : heap_.entries())
        order.push_back(&entry);
    std::sort(order.begin(), order.end(),
              [](const TimerHeap::Entry* a, const TimerHeap::Entry* b) { return a->sequence < b->sequence; });
    for (Run* run = innermostRun_; run != nullptr; run = run->outer_) {
        const auto end = std::partition_point(
            order.begin(), order.end(), [run](const TimerHeap::Entry* entry) { return entry->sequence < run->end_; });
        run->end_ = static_cast<std::uint32_t>(end - order.begin());
    }
    nextSequence_ = 0;
    for (TimerHeap::Entry* entry : order)
        entry->sequence = pool_.at(entry->slot).sequence = nextSequence_++;
}

TimerHeap::Entry TimerQueue::State::makeEntry(DelayedCallNode& node) noexcept {
    // Inside a turn nothing new sorts before what the turn has yet to call.
    node.held = innermostRun_ != nullptr && node.due < innermostRun_->now_;
    node.sequence = nextSequence_++;
    return {.time = node.held ? innermostRun_->now_ : node.due, .sequence = node.sequence, .slot = node.slot};
}

/// The entry as it should be: another than it is when its call has been put off.
TimerHeap::Entry TimerQueue::State::putRight(const TimerHeap::Entry& entry) const noexcept {
    const DelayedCallNode& node = pool_.at(entry.slot);
    if (node.sequence == entry.sequence)
        return entry;
    return {.time = node.due, .sequence = node.sequence, .slot = entry.slot};
}

void TimerQueue::State::putAllRight() {
    std::vector<TimerHeap::Entry> behind;
    for (const TimerHeap::Entry& entry : heap_.entries()) {
        if (const TimerHeap::Entry right = putRight(entry); right.sequence != entry.sequence)
            behind.push_back(right);
    }
    for (const TimerHeap::Entry& entry : behind)
        heap_.update(entry);
}

/// The next entry, with its right time; null when there is none.
const TimerHeap::Entry* TimerQueue::State::front() noexcept {
    while (!heap_.empty()) {
        const TimerHeap::Entry right = putRight(heap_.front());
        if (right.sequence == heap_.front().sequence)
            return &heap_.front();
        heap_.update(right);
    }
    return nullptr;
}

std::optional<TimePoint> TimerQueue::State::firstAfter(TimePoint time) {
    putAllRight();
    return heap_.firstAfter(time);
}

std::vector<DelayedCall> TimerQueue::State::list() const {
    std::vector<TimerHeap::Entry> entries;
    entries.reserve(size());
    for (const TimerHeap::Entry& entry : heap_.entries()) {
        if (!pool_.at(entry.slot).internal)
            entries.push_back(putRight(entry));
    }
    std::sort(entries.begin(), entries.end(), TimerHeap::isLess);
    std::vector<DelayedCall> calls;
    calls.reserve(entries.size());
    for (const TimerHeap::Entry& entry : entries)
        calls.emplace_back(DelayedCallRef(&pool_.at(entry.slot)));
    return calls;
}

void TimerQueue::State::takeOut(DelayedCallNode& node, DelayedCallState state) noexcept {
    heap_.erase(node.slot);
    internalCalls_ -= node.internal ? 1 : 0;
    node.state = state;
}

void TimerQueue::State::dropReference(DelayedCallNode& node) noexcept {
    if (--node.references == 0)
        release(node);
}

void TimerQueue::State::notify() noexcept {
    if (host_ != nullptr)
        host_->nextDueChanged();
}

void TimerQueue::State::destroyIfUnused() noexcept {
    if (closed_ && pool_.taken() == 0 && innermostRun_ == nullptr)
        delete this;
}

TimerQueue::Run::Run(State& state, TimePoint now) noexcept
    : state_(state), outer_(state.innermostRun_), now_(outer_ != nullptr ? std::max(now, outer_->now_) : now),
      end_(state.nextSequence_) {
    state.innermostRun_ = this;
}

TimerQueue::Run::~Run() {
    state_.innermostRun_ = outer_;
    state_.destroyIfUnused();
}

bool TimerQueue::Run::take(Function<void()>& call) noexcept {
    const TimerHeap::Entry* front = state_.front();
    if (front == nullptr || front->time > now_ || front->sequence >= end_)
        return false;
    DelayedCallNode& node = state_.pool_.at(front->slot);
    state_.takeOut(node, DelayedCallState::Called);
    ++state_.counters_.called;
    call = std::move(node.call);
    state_.dropReference(node);
    return true;
}

TimerQueue::TimerQueue(Host& host, std::uint32_t firstSequence) : state_(new State(host, firstSequence)) {}

TimerQueue::~TimerQueue() {
    state_->close();
}

DelayedCall TimerQueue::schedule(TimePoint due, Function<void()>&& call, Kind kind) {
    return state_->schedule(due, std::move(call), kind);
}

std::optional<TimePoint> TimerQueue::nextDue() const noexcept {
    const TimerHeap::Entry* front = state_->front();
    return front != nullptr ? std::optional(front->time) : std::nullopt;
}

std::optional<TimePoint> TimerQueue::nextDueAfter(TimePoint time) const {
    return state_->firstAfter(time);
}

std::size_t TimerQueue::size() const noexcept {
    return state_->size();
}

std::vector<DelayedCall> TimerQueue::getDelayedCalls() const {
    return state_->list();
}

const TimerQueue::Counters& TimerQueue::counters() const noexcept {
    return state_->counters();
}

} // namespace torsion
