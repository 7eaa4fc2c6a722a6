#pragma once

#include <reactor/failure.hpp>
#include <reactor/function.hpp>

#include <cstddef>
#include <cstdint>
#include <source_location>
#include <utility>

namespace torsion::detail {

class DeferredNode;

/// Counted, not atomically: a chain belongs to one thread.
class NodePtr {
public:
    NodePtr() noexcept = default;
    explicit NodePtr(DeferredNode* node) noexcept;
    NodePtr(const NodePtr& other) noexcept : NodePtr(other.node_) {}
    NodePtr(NodePtr&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
    NodePtr& operator=(NodePtr other) noexcept {
        std::swap(node_, other.node_);
        return *this;
    }
    ~NodePtr();

    /// Lets go of the pointer but not of the reference, and takes such a pointer back.
    DeferredNode* release() noexcept { return std::exchange(node_, nullptr); }
    static NodePtr adopt(DeferredNode* node) noexcept {
        NodePtr pointer;
        pointer.node_ = node;
        return pointer;
    }

    DeferredNode* get() const noexcept { return node_; }
    DeferredNode* operator->() const noexcept { return node_; }
    DeferredNode& operator*() const noexcept { return *node_; }
    explicit operator bool() const noexcept { return node_ != nullptr; }

private:
    DeferredNode* node_ = nullptr;
};

/// What a step came to: success, a failure, or another Deferred to wait for.
struct StepOutcome {
    Failure failure;
    NodePtr inner;
};

/// One place in a chain where a result arrives: the root, which a Promise fires, or a step, which makes its result from
/// that of the node above. The kind of result is the business of derived classes; failures, order, cancellation and the
/// log of unhandled failures are handled here for all of them.
///
///     Promise ──▶ root ──down──▶ step ──down──▶ step ◀── Deferred (the handle)
///                   ◀────up──────  ◀────up──────
///
/// A node owns the one below it; `up` is a plain pointer, cleared when the result comes down. A step whose function has
/// returned a Deferred takes the last node of that Deferred's chain for its `up` and passes the result on unchanged
/// ("adopting"). Nothing here calls itself along a chain: neither running nor cancelling nor destroying one.
class DeferredNode {
public:
    enum class State : std::uint8_t {
        Waiting, ///< for `up`, or for the Promise
        Running, ///< the step's function is on the stack
        Fired,   ///< the result is here
        Taken    ///< the result went down, or to a function
    };

    DeferredNode(const DeferredNode&) = delete;
    DeferredNode& operator=(const DeferredNode&) = delete;

    static void* operator new(std::size_t size);
    static void operator delete(void* block, std::size_t size) noexcept;

    State state() const noexcept { return state_; }
    const std::source_location& place() const noexcept { return place_; }

    /// Gives the result to the caller: the failure, empty on success. The state becomes Taken.
    Failure takeFailure() noexcept;

    /// Puts a result into a node whose result was taken, without running anything.
    void refill(Failure failure) noexcept;

    /// Appends a step. The node is Waiting or Running.
    void attach(NodePtr step) noexcept;

    /// The handle is gone: nobody will look at the result but the steps that are there already.
    void dropHandle() noexcept;

    /// Cancels what the node waits for, if anything.
    void cancel();

    /// Brings the result of a waiting node and runs the steps below.
    static void fire(NodePtr node, Failure failure) noexcept;

protected:
    explicit DeferredNode(const std::source_location& place) noexcept : place_(place) {}
    virtual ~DeferredNode() = default;

    /// Called once, with the node above, which has its result. Ends with become().
    virtual void run(DeferredNode& above) noexcept = 0;

    /// Takes over the value of a node with the same kind of result.
    virtual void adoptValue(DeferredNode& /*above*/) noexcept {}

    /// Called at the top of a chain that is being cancelled.
    virtual void cancelRoot() {}

    /// Called when the result is there: what is of use only before can go.
    virtual void resultArrived() noexcept {}

    /// The end of run().
    void become(StepOutcome outcome) noexcept;

private:
    friend class NodePtr;

    static void settle(NodePtr node) noexcept;
    static void runChain(NodePtr node) noexcept;
    bool waitsBelow(const DeferredNode& inner) const noexcept;
    void reportUnhandled() noexcept;

    DeferredNode* up_ = nullptr;
    NodePtr down_;
    Failure failure_;
    std::source_location place_;
    std::uint32_t references_ = 0;
    State state_ = State::Waiting;
    bool adopting_ = false;
    bool detached_ = false;
};

inline NodePtr::NodePtr(DeferredNode* node) noexcept : node_(node) {
    if (node_ != nullptr)
        ++node_->references_;
}

inline NodePtr::~NodePtr() {
    if (node_ != nullptr && --node_->references_ == 0)
        delete node_;
}

/// The top of a chain, fired by a Promise.
class RootNode : public DeferredNode {
public:
    explicit RootNode(const std::source_location& place) noexcept : DeferredNode(place) {}

    void setCanceller(Function<void()> canceller) noexcept;

    /// True once after a cancellation without a canceller: the producer could not know, and may fire in vain (S-166).
    bool ignoresFire() noexcept { return std::exchange(ignoreNextFire_, false); }

    /// The Promise is gone. A waiting node fails with BrokenPromiseError: now, or, when a chain is being run on this
    /// thread, after the step that runs, so that promises which own each other fall one after the other.
    static void abandon(NodePtr root) noexcept;

protected:
    void run(DeferredNode&) noexcept override {}
    void cancelRoot() override;
    void resultArrived() noexcept override { canceller_.reset(); }

private:
    friend struct ChainRunner;

    Function<void()> canceller_;
    RootNode* nextAbandoned_ = nullptr;
    bool ignoreNextFire_ = false;
    bool cancelling_ = false;
};

/// A node that was never waited for: made with its result.
class FiredNode final : public DeferredNode {
public:
    FiredNode(Failure failure, const std::source_location& place) noexcept : DeferredNode(place) {
        refill(std::move(failure));
    }

protected:
    void run(DeferredNode&) noexcept override {}
};

/// The part of Promise<T> that does not depend on T.
class PromiseBase {
public:
    PromiseBase(PromiseBase&& other) noexcept = default;
    PromiseBase& operator=(PromiseBase&& other) noexcept;
    ~PromiseBase() { drop(); }

    /// Fails the Deferred; its steps run before this returns. Throws AlreadyCalledError when fired before, and
    /// std::invalid_argument for an empty Failure.
    void errback(Failure failure);

    /// What is called, once, when the consumer cancels: it stops the producer, and may fire the promise itself. When it
    /// does not, the Deferred fails with CancelledError, or with what the function throws. Without such a function,
    /// firing the promise once after a cancellation is ignored; with one it is an error. Dropped when the promise is
    /// fired; replaces an earlier function.
    void onCancel(Function<void()> canceller);

    /// Whether there is a result: by callback, errback or cancellation.
    bool isFired() const noexcept { return node_ && node_->state() != DeferredNode::State::Waiting; }

protected:
    explicit PromiseBase(NodePtr root) noexcept : node_(std::move(root)) {}

    RootNode& root() const;
    NodePtr takeDeferred();

    /// False when this firing has no effect; throws AlreadyCalledError when it is one too many.
    bool mayFire();

    void fire(Failure failure) { DeferredNode::fire(node_, std::move(failure)); }

private:
    void drop() noexcept;

    NodePtr node_;
    bool deferredTaken_ = false;
};

[[noreturn]] void throwConsumedDeferred();

} // namespace torsion::detail
