#pragma once

#include <reactor/failure.hpp>
#include <reactor/function.hpp>
#include <reactor/result.hpp>

#include <atomic>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <source_location>
#include <string>
#include <utility>

namespace torsion::detail {

class DeferredNode;
struct ChainRunner;

/// The switch of setDebugging().
inline constinit std::atomic<bool> debugging{false};

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

/// Names a node without keeping it: null once the node's last owner has let go. The node has a list of those who name
/// it, so that neither it nor they need a further block of memory.
class WeakNodePtr {
public:
    WeakNodePtr() noexcept = default;
    explicit WeakNodePtr(DeferredNode* node) noexcept;
    WeakNodePtr(const WeakNodePtr& other) noexcept : WeakNodePtr(other.node_) {}
    WeakNodePtr(WeakNodePtr&& other) noexcept : WeakNodePtr(other.node_) { other.reset(); }
    WeakNodePtr& operator=(WeakNodePtr other) noexcept {
        reset();
        set(other.node_);
        return *this;
    }
    ~WeakNodePtr() { reset(); }

    void reset() noexcept;
    DeferredNode* get() const noexcept { return node_; }

private:
    friend class DeferredNode;

    void set(DeferredNode* node) noexcept;

    DeferredNode* node_ = nullptr;
    WeakNodePtr* next_ = nullptr;
    WeakNodePtr** toThis_ = nullptr; // the node's head of the list, or the next_ of the one before
};

/// What the top of a chain has that a Promise fires.
struct RootPart {
    Function<void()> canceller;
    bool ignoreNextFire = false;
    bool cancelling = false;
};

/// One place in a chain where a result arrives: the root, which a Promise fires; a step, which makes its result from
/// that of the node above; or a coroutine, which waits for one node after the other. The type of the result is the
/// business of derived classes; order, cancellation and the log of unhandled failures are handled here for all.
///
///     Promise ──▶ root ──down──▶ step ──down──▶ coroutine ──down──▶ step ◀── Deferred (the handle)
///                   ◀────up──────  ◀────up────────  ◀──────up────────
///
/// A node owns the one below it; `up` is a plain pointer, cleared when the result comes down. A step whose function has
/// returned a Deferred takes the last node of that Deferred's chain for its `up` and passes the result on unchanged
/// ("adopting"); a coroutine does the same with the Deferred that it awaits, but takes the result itself. Nothing here
/// calls itself along a chain: neither running, resuming, cancelling nor destroying one. The loop that runs a chain is
/// thereby the trampoline of coroutines, too: one that ends returns to the loop, which resumes the next.
class DeferredNode {
public:
    enum class State : std::uint8_t {
        Waiting, ///< for `up`, for the Promise, or a coroutine for something else
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

    /// Whether there is a record of it (deferred_records.hpp): it was made while debugging was on.
    bool isRecorded() const noexcept { return recorded_; }

    /// Appends a step. The node is Waiting or Running.
    void attach(NodePtr step) noexcept;

    /// The handle is gone: nobody will look at the result but the steps that are there already. What awaits it in a
    /// frame that was destroyed is not resumed.
    void dropHandle() noexcept;

    /// Cancels what the node waits for, if anything.
    void cancel();

    /// Brings the failure of a waiting node and runs the steps below, see settle().
    static void fail(NodePtr node, Failure failure) noexcept;

    /// Runs the steps below a node which has its result: at once, but for one inside of too many others, which waits
    /// until these have returned.
    static void settle(NodePtr node) noexcept;

    /// Throws std::logic_error where waiting for `inner`, the last of its chain, would be waiting for this node itself.
    void requireAwaitable(const DeferredNode& inner) const;

    /// Waits for `inner`, which is pending, and then has run() called.
    void await(DeferredNode& inner) noexcept;

    /// What a Promise needs; null where there is none.
    virtual RootPart* root() noexcept { return nullptr; }

protected:
    explicit DeferredNode(const std::source_location& place) noexcept : place_(place) {
        if (debugging.load(std::memory_order_relaxed))
            beginRecord();
    }
    virtual ~DeferredNode() = default;

    /// Called once, with the node above, which has its result. Ends with a result, or waiting. Lets go of the node
    /// before it calls anything: it may be the frame of a coroutine that has ended, with its parameters.
    virtual void run(NodePtr above) noexcept = 0;

    /// Takes over the result of a node with the same type of result.
    virtual void adopt(DeferredNode& above) noexcept = 0;

    /// Stores a failure, and takes one out, which is empty on success. The states are not the business of these.
    virtual void storeFailure(Failure&& failure) noexcept = 0;
    virtual Failure extractFailure() noexcept = 0;

    /// Called at the top of a chain that is being cancelled.
    virtual void cancelTop();

    /// The last reference is gone.
    virtual void dispose() noexcept { delete this; }

    /// There is a result now.
    void arrived() noexcept;
    void markTaken() noexcept { state_ = State::Taken; }

    /// After run(): waits on, for something that is not a Deferred.
    void keepWaiting() noexcept {
        if (state_ == State::Running)
            state_ = State::Waiting;
    }

    /// The result shall become that of `inner`, which is of the same type and may be there already.
    void waitFor(NodePtr inner) noexcept;

    void markDetached() noexcept { detached_ = true; }

    /// Whether anybody waits for the result or has given it up.
    bool hasFollower() const noexcept { return down_ || detached_; }

private:
    friend class NodePtr;
    friend class WeakNodePtr;
    friend struct ChainRunner;
    friend class PromiseBase;

    static void runChain(NodePtr node) noexcept;
    static void runQueued() noexcept;
    static void abandon(NodePtr root) noexcept;
    bool waitsBelow(const DeferredNode& inner) const noexcept;
    void reportUnhandled() noexcept;
    void beginRecord() noexcept;
    void endNaming() noexcept;

    /// The last reference is gone. Those who name it lose it first: while the locals of a coroutine are destroyed
    /// nobody shall take it up again.
    void end() noexcept {
        if (weak_ != nullptr || recorded_)
            endNaming();
        dispose();
    }

    DeferredNode* up_ = nullptr;
    NodePtr down_;
    DeferredNode* nextQueued_ = nullptr;
    WeakNodePtr* weak_ = nullptr; // the first of those who name it
    std::source_location place_;
    std::uint32_t references_ = 0;
    State state_ = State::Waiting;
    bool adopting_ = false;
    bool detached_ = false;
    bool queued_ = false;
    bool recorded_ = false;
};

inline NodePtr::NodePtr(DeferredNode* node) noexcept : node_(node) {
    if (node_ != nullptr)
        ++node_->references_;
}

inline NodePtr::~NodePtr() {
    if (node_ != nullptr && --node_->references_ == 0)
        node_->end();
}

inline WeakNodePtr::WeakNodePtr(DeferredNode* node) noexcept {
    set(node);
}

inline void WeakNodePtr::set(DeferredNode* node) noexcept {
    node_ = node;
    if (node == nullptr)
        return;
    next_ = std::exchange(node->weak_, this);
    if (next_ != nullptr)
        next_->toThis_ = &next_;
    toThis_ = &node->weak_;
}

inline void WeakNodePtr::reset() noexcept {
    if (node_ == nullptr)
        return;
    *toThis_ = next_;
    if (next_ != nullptr)
        next_->toThis_ = toThis_;
    node_ = nullptr;
}

/// A node with room for a result.
template <class T>
class ResultNode : public DeferredNode {
public:
    /// Gives the result, which is there, to the caller.
    Result<T> take() noexcept {
        markTaken();
        return std::move(result_);
    }

    /// Brings the result of a waiting node and runs the steps below.
    static void fire(NodePtr node, Result<T> result) noexcept {
        static_cast<ResultNode&>(*node).store(std::move(result));
        settle(std::move(node));
    }

    void store(Result<T>&& result) noexcept {
        result_ = std::move(result);
        arrived();
    }

protected:
    explicit ResultNode(const std::source_location& place) noexcept : DeferredNode(place) {}

    void adopt(DeferredNode& above) noexcept override { store(static_cast<ResultNode&>(above).take()); }
    void storeFailure(Failure&& failure) noexcept override {
        result_ = std::move(failure);
        arrived();
    }
    Failure extractFailure() noexcept override { return std::move(take()).failure(); }

private:
    Result<T> result_{NoResult()};
};

/// The top of a chain, fired by a Promise.
template <class T>
class RootNode final : public ResultNode<T> {
public:
    explicit RootNode(const std::source_location& place) noexcept : ResultNode<T>(place) {}

    RootPart* root() noexcept override { return &part_; }

protected:
    void run(NodePtr) noexcept override {}

private:
    RootPart part_;
};

/// Waits for a Deferred in a coroutine of another library.
class ForeignWaiter final : public DeferredNode {
public:
    ForeignWaiter(std::coroutine_handle<> waiting, const std::source_location& place) noexcept
        : DeferredNode(place), waiting_(waiting) {
        markDetached();
    }

protected:
    void run(NodePtr above) noexcept override;
    void adopt(DeferredNode&) noexcept override {}
    void storeFailure(Failure&&) noexcept override {}
    Failure extractFailure() noexcept override {
        markTaken();
        return {};
    }

private:
    std::coroutine_handle<> waiting_;
};

/// The part of Promise<T> that does not depend on T.
class PromiseBase {
public:
    PromiseBase(PromiseBase&& other) noexcept = default;
    PromiseBase& operator=(PromiseBase&& other) noexcept;
    ~PromiseBase() { drop(); }

    /// Fails the Deferred; its steps run as with callback(). Throws AlreadyCalledError when fired before, and
    /// std::invalid_argument for an empty Failure.
    /// @param place where this is called; kept with setDebugging(true).
    void errback(Failure failure, std::source_location place = std::source_location::current());

    /// What is called, once, when the consumer cancels: it stops the producer, and may fire the promise itself. When it
    /// does not, the Deferred fails with CancelledError, or with what the function throws. Without such a function,
    /// firing the promise once after a cancellation is ignored; with one it is an error. Dropped when the promise is
    /// fired; replaces an earlier function.
    void onCancel(Function<void()> canceller);

    /// Whether there is a result: by callback, errback or cancellation.
    bool isFired() const noexcept { return node_ && node_->state() != DeferredNode::State::Waiting; }

protected:
    explicit PromiseBase(NodePtr root) noexcept : node_(std::move(root)) {}

    NodePtr takeDeferred();

    /// The node; throws std::logic_error when the promise was moved from.
    const NodePtr& node() const;

    /// False when this firing has no effect; throws AlreadyCalledError when it is one too many.
    bool mayFire(const std::source_location& place);

private:
    void drop() noexcept;

    NodePtr node_;
    bool deferredTaken_ = false;
};

[[noreturn]] void throwConsumedDeferred();

/// Logs a failure that nobody handled. Does nothing when it is empty.
/// @param history what setDebugging() has added, a text that goes on behind the place.
void reportUnhandledFailure(const Failure& failure, const std::source_location& place,
                            const std::string& history = {}) noexcept;

} // namespace torsion::detail
