#include <reactor/detail/deferred_node.hpp>

#include <reactor/detail/node_pool.hpp>
#include <reactor/errors.hpp>
#include <reactor/log.hpp>

#include <stdexcept>

namespace torsion::detail {

/// What runs on this thread. Promises that are dropped meanwhile wait in a list: were they fired at once, promises that
/// own each other through their chains would be destroyed one inside the other.
struct ChainRunner {
    bool active;
    RootNode* firstAbandoned; // the list holds one reference on each
    RootNode* lastAbandoned;

    void append(NodePtr root) noexcept {
        auto* node = static_cast<RootNode*>(root.release());
        (lastAbandoned != nullptr ? lastAbandoned->nextAbandoned_ : firstAbandoned) = node;
        lastAbandoned = node;
    }

    NodePtr takeFirst() noexcept {
        RootNode* node = firstAbandoned;
        if (node == nullptr)
            return {};
        firstAbandoned = std::exchange(node->nextAbandoned_, nullptr);
        if (firstAbandoned == nullptr)
            lastAbandoned = nullptr;
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

Failure DeferredNode::takeFailure() noexcept {
    state_ = State::Taken;
    return std::exchange(failure_, Failure());
}

void DeferredNode::refill(Failure failure) noexcept {
    failure_ = std::move(failure);
    state_ = State::Fired;
}

void DeferredNode::attach(NodePtr step) noexcept {
    step->up_ = this;
    down_ = std::move(step);
}

void DeferredNode::dropHandle() noexcept {
    detached_ = true;
    if (state_ == State::Fired)
        reportUnhandled();
}

void DeferredNode::cancel() {
    NodePtr top(this);
    while (top->up_ != nullptr)
        top = NodePtr(top->up_);
    top->cancelRoot();
}

void DeferredNode::fire(NodePtr node, Failure failure) noexcept {
    node->refill(std::move(failure));
    node->resultArrived();
    settle(std::move(node));
}

void DeferredNode::become(StepOutcome outcome) noexcept {
    if (!outcome.inner) {
        refill(std::move(outcome.failure));
        return;
    }
    DeferredNode& inner = *outcome.inner;
    if (inner.state_ == State::Fired) {
        adoptValue(inner);
        refill(inner.takeFailure());
    } else if (waitsBelow(inner)) {
        outcome.inner->detached_ = true;
        refill(Failure::fromException(std::make_exception_ptr(
            std::logic_error("a callback returned the Deferred that waits for the callback itself"))));
    } else {
        adopting_ = true;
        state_ = State::Waiting;
        inner.attach(NodePtr(this));
    }
}

/// Whether `inner` is below this node, so that waiting for it would never end (S-163). It is the last of its chain: one
/// walk goes down from here to the last node, the other up from `inner` to the first, in step, because either may be
/// long, but rarely both are.
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
    if (chainRunner.active) {
        runChain(std::move(node));
        return;
    }
    chainRunner.active = true;
    runChain(std::move(node));
    while (NodePtr abandoned = chainRunner.takeFirst()) {
        if (abandoned->state_ == State::Waiting)
            fire(std::move(abandoned), Failure::of<BrokenPromiseError>());
    }
    chainRunner.active = false;
}

void DeferredNode::runChain(NodePtr node) noexcept {
    while (node->down_) {
        NodePtr below = std::move(node->down_);
        below->up_ = nullptr;
        if (below->adopting_) {
            below->adoptValue(*node);
            below->refill(node->takeFailure());
        } else {
            below->state_ = State::Running;
            below->run(*node);
        }
        node = std::move(below);
        if (node->state_ != State::Fired)
            return; // it waits for an inner Deferred now
    }
    if (node->detached_)
        node->reportUnhandled();
}

void DeferredNode::reportUnhandled() noexcept {
    const Failure failure = takeFailure();
    if (!failure)
        return;
    try {
        log::logger()->critical("Unhandled error in Deferred: {} (created at {}:{})", failure.toString(),
                                place_.file_name(), place_.line());
    } catch (...) {
        // No memory for the message, or a sink of the program's that throws: nobody is left to tell.
    }
}

void RootNode::setCanceller(Function<void()> canceller) noexcept {
    if (state() == State::Waiting)
        canceller_ = std::move(canceller);
}

void RootNode::cancelRoot() {
    if (state() != State::Waiting || cancelling_)
        return;
    Failure failure = Failure::of<CancelledError>();
    const NodePtr self(this);
    if (!canceller_) {
        ignoreNextFire_ = true;
        fire(self, std::move(failure));
        return;
    }
    cancelling_ = true;
    Function<void()> canceller = std::move(canceller_);
    try {
        canceller();
    } catch (...) {
        failure = Failure::current();
        if (state() != State::Waiting)
            log::logger()->error("A canceller fired its promise and then threw: {}", failure.toString());
    }
    if (state() == State::Waiting)
        fire(self, std::move(failure));
}

void RootNode::abandon(NodePtr root) noexcept {
    auto& node = static_cast<RootNode&>(*root);
    // A canceller that drops the promise leaves it to cancelRoot() to say what happened.
    if (node.state() != State::Waiting || node.cancelling_)
        return;
    if (chainRunner.active)
        chainRunner.append(std::move(root));
    else
        fire(std::move(root), Failure::of<BrokenPromiseError>());
}

PromiseBase& PromiseBase::operator=(PromiseBase&& other) noexcept {
    if (this != &other) {
        drop();
        node_ = std::move(other.node_);
        deferredTaken_ = other.deferredTaken_;
    }
    return *this;
}

void PromiseBase::errback(Failure failure) {
    if (!failure)
        throw std::invalid_argument("Promise::errback: the Failure is empty");
    if (mayFire())
        fire(std::move(failure));
}

void PromiseBase::onCancel(Function<void()> canceller) {
    root().setCanceller(std::move(canceller));
}

RootNode& PromiseBase::root() const {
    if (!node_)
        throw std::logic_error("the Promise was moved from");
    return static_cast<RootNode&>(*node_);
}

NodePtr PromiseBase::takeDeferred() {
    root();
    if (std::exchange(deferredTaken_, true))
        throw std::logic_error("the Promise's Deferred was taken already: it has one consumer");
    return node_;
}

bool PromiseBase::mayFire() {
    if (root().state() == DeferredNode::State::Waiting)
        return true;
    if (root().ignoresFire())
        return false;
    throw AlreadyCalledError();
}

void PromiseBase::drop() noexcept {
    if (!node_)
        return;
    NodePtr node = std::move(node_);
    if (deferredTaken_)
        RootNode::abandon(std::move(node));
    else
        node->dropHandle(); // nobody waits; but a failure it was given is reported
}

void throwConsumedDeferred() {
    throw std::logic_error("the Deferred was moved from or consumed: it has one consumer");
}

} // namespace torsion::detail
