#include <reactor/detail/deferred_node.hpp>

#include <reactor/detail/deferred_records.hpp>
#include <reactor/detail/node_pool.hpp>
#include <reactor/errors.hpp>
#include <reactor/log.hpp>

#include <stdexcept>

namespace torsion::detail {

/// What runs on this thread. Promises that are dropped meanwhile wait in a list: were they fired at once, promises that
/// own each other through their chains would be destroyed one inside the other. So do results that came too deep in the
/// stack.
struct ChainRunner {
    int depth;           // of chains that run one inside the other
    DeferredNode* first; // the list holds one reference on each
    DeferredNode* last;

    void append(NodePtr later) noexcept {
        // A promise that was dropped is here when its Deferred is cancelled, too.
        if (std::exchange(later->queued_, true))
            return;
        DeferredNode* node = later.release();
        (last != nullptr ? last->nextQueued_ : first) = node;
        last = node;
    }

    NodePtr takeFirst() noexcept {
        DeferredNode* node = first;
        if (node == nullptr)
            return {};
        first = std::exchange(node->nextQueued_, nullptr);
        node->queued_ = false;
        if (first == nullptr)
            last = nullptr;
        return NodePtr::adopt(node);
    }
};

namespace {

constinit thread_local ChainRunner chainRunner{};

} // namespace

void* DeferredNode::operator new(std::size_t size) {
    return allocateNode(size);
}

void DeferredNode::operator delete(void* block, std::size_t size) noexcept {
    freeNode(block, size);
}

void DeferredNode::attach(NodePtr step) noexcept {
    step->up_ = this;
    if (step->recorded_)
        recordWaiting(*step, WaitsFor::Deferred);
    down_ = std::move(step);
}

void DeferredNode::dropHandle() noexcept {
    detached_ = true;
    if (down_) {
        // Whoever consumes a Deferred leaves it without a handle; so this was one being awaited, in a frame that is
        // being destroyed.
        down_->up_ = nullptr;
        down_ = NodePtr();
    }
    if (state_ == State::Fired)
        reportUnhandled();
}

void DeferredNode::cancel() {
    NodePtr top(this);
    while (top->up_ != nullptr)
        top = NodePtr(top->up_);
    top->cancelTop();
}

void DeferredNode::cancelTop() {
    RootPart* part = root();
    if (part == nullptr || state_ != State::Waiting || part->cancelling)
        return;
    Failure failure = Failure::of<CancelledError>();
    const NodePtr self(this);
    if (recorded_)
        recordCancelled(*this);
    if (!part->canceller) {
        part->ignoreNextFire = true;
        fail(self, std::move(failure));
        return;
    }
    part->cancelling = true;
    Function<void()> canceller = std::move(part->canceller);
    try {
        canceller();
    } catch (...) {
        failure = Failure::current();
        if (state_ != State::Waiting)
            log::error("A canceller fired its promise and then threw: {}", failure.toString());
    }
    if (state_ == State::Waiting)
        fail(self, std::move(failure));
}

void DeferredNode::fail(NodePtr node, Failure failure) noexcept {
    node->storeFailure(std::move(failure));
    settle(std::move(node));
}

void DeferredNode::arrived() noexcept {
    state_ = State::Fired;
    if (RootPart* part = root())
        part->canceller.reset();
    if (recorded_)
        recordWaiting(*this, WaitsFor::Nothing);
}

void DeferredNode::beginRecord() noexcept {
    recorded_ = recordNode(*this);
}

void DeferredNode::endNaming() noexcept {
    while (weak_ != nullptr)
        weak_->reset();
    if (recorded_)
        forgetNode(*this);
}

void DeferredNode::requireAwaitable(const DeferredNode& inner) const {
    if (waitsBelow(inner))
        throw std::logic_error("a coroutine awaits the Deferred that waits for the coroutine itself");
}

void DeferredNode::await(DeferredNode& inner) noexcept {
    state_ = State::Waiting;
    inner.attach(NodePtr(this));
}

void DeferredNode::waitFor(NodePtr inner) noexcept {
    if (inner->state_ == State::Fired) {
        adopt(*inner);
    } else if (waitsBelow(*inner)) {
        inner->detached_ = true;
        storeFailure(Failure::fromException(std::make_exception_ptr(
            std::logic_error("a callback returned the Deferred that waits for the callback itself"))));
    } else {
        adopting_ = true;
        state_ = State::Waiting;
        inner->attach(NodePtr(this));
    }
}

/// Whether `inner` is this node or below it, so that waiting for it would never end (S-163). It is the last of its
/// chain: one walk goes down from here to the last node, the other up from `inner` to the first, in step, because
/// either may be long, but rarely both are.
bool DeferredNode::waitsBelow(const DeferredNode& inner) const noexcept {
    const DeferredNode* below = this;
    const DeferredNode* above = &inner;
    while (below != &inner && above != this) {
        below = below->down_.get();
        above = above->up_;
        if (below == nullptr || above == nullptr)
            return false;
    }
    return true;
}

void DeferredNode::settle(NodePtr node) noexcept {
    constexpr int kMaxDepth = 64;
    if (chainRunner.depth >= kMaxDepth) {
        chainRunner.append(std::move(node));
        return;
    }
    ++chainRunner.depth;
    runChain(std::move(node));
    if (chainRunner.depth == 1)
        runQueued();
    --chainRunner.depth;
}

void DeferredNode::runQueued() noexcept {
    while (NodePtr queued = chainRunner.takeFirst()) {
        if (queued->state_ == State::Waiting)
            queued->storeFailure(Failure::of<BrokenPromiseError>());
        if (queued->state_ == State::Fired)
            runChain(std::move(queued));
    }
}

void DeferredNode::runChain(NodePtr node) noexcept {
    while (node->down_) {
        NodePtr below = std::move(node->down_);
        below->up_ = nullptr;
        if (below->recorded_)
            recordResult(*node, *below);
        if (below->adopting_) {
            below->adopt(*node);
        } else {
            below->state_ = State::Running;
            below->run(std::move(node));
        }
        node = std::move(below);
        if (node->state_ != State::Fired) {
            if (node->recorded_)
                recordSuspended(*node);
            return; // it waits for an inner Deferred now
        }
    }
    if (node->detached_)
        node->reportUnhandled();
}

void DeferredNode::reportUnhandled() noexcept {
    const Failure failure = extractFailure();
    reportUnhandledFailure(failure, place_, failure && recorded_ ? historyOf(*this) : std::string());
}

void DeferredNode::abandon(NodePtr root) noexcept {
    // A canceller that drops the promise leaves it to cancelTop() to say what happened.
    if (root->state_ != State::Waiting || root->root()->cancelling)
        return;
    // Who cancels the Deferred while it is in the list must not call into a producer that is gone.
    const Function<void()> canceller = std::move(root->root()->canceller);
    if (chainRunner.depth > 0)
        chainRunner.append(std::move(root));
    else
        fail(std::move(root), Failure::of<BrokenPromiseError>());
}

void ForeignWaiter::run(NodePtr above) noexcept {
    above = NodePtr(); // the awaiter has it
    arrived();
    try {
        waiting_.resume();
    } catch (...) {
        log::error("An exception left a coroutine that had awaited a Deferred: {}", Failure::current().toString());
    }
}

void reportUnhandledFailure(const Failure& failure, const std::source_location& place,
                            const std::string& history) noexcept {
    if (!failure)
        return;
    try {
        log::critical("Unhandled error in Deferred: {} (created at {}:{}{})", failure.toString(), place.file_name(),
                      place.line(), history);
    } catch (...) {
        // No memory for the message, or a sink of the program's that throws: nobody is left to tell.
    }
}

PromiseBase& PromiseBase::operator=(PromiseBase&& other) noexcept {
    if (this != &other) {
        drop();
        node_ = std::move(other.node_);
        deferredTaken_ = other.deferredTaken_;
    }
    return *this;
}

void PromiseBase::errback(Failure failure, std::source_location place) {
    if (!failure)
        throw std::invalid_argument("Promise::errback: the Failure is empty");
    if (mayFire(place))
        DeferredNode::fail(node_, std::move(failure));
}

void PromiseBase::onCancel(Function<void()> canceller) {
    if (node()->state() == DeferredNode::State::Waiting)
        node_->root()->canceller = std::move(canceller);
}

const NodePtr& PromiseBase::node() const {
    if (!node_)
        throw std::logic_error("the Promise was moved from");
    return node_;
}

NodePtr PromiseBase::takeDeferred() {
    node();
    if (std::exchange(deferredTaken_, true))
        throw std::logic_error("the Promise's Deferred was taken already: it has one consumer");
    return node_;
}

bool PromiseBase::mayFire(const std::source_location& place) {
    if (node()->state() == DeferredNode::State::Waiting) {
        if (node_->isRecorded())
            recordFired(*node_, place);
        return true;
    }
    // Once after a cancellation without a canceller: the producer could not know, and may fire in vain (S-166).
    if (std::exchange(node_->root()->ignoreNextFire, false))
        return false;
    if (node_->isRecorded())
        throw AlreadyCalledError("The promise was kept already: " + storyOf(*node_));
    throw AlreadyCalledError();
}

void PromiseBase::drop() noexcept {
    if (!node_)
        return;
    NodePtr node = std::move(node_);
    if (deferredTaken_)
        DeferredNode::abandon(std::move(node));
    else
        node->dropHandle(); // nobody waits; but a failure it was given is reported
}

void throwEmptyFailure() {
    throw std::invalid_argument("the Failure is empty: a result is a value or a failure");
}

void throwConsumedDeferred() {
    throw std::logic_error("the Deferred was moved from or consumed: it has one consumer");
}

} // namespace torsion::detail
