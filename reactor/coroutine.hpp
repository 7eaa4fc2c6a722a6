#pragma once

#include <reactor/deferred.hpp>
#include <reactor/detail/deferred_node.hpp>
#include <reactor/result.hpp>

#include <concepts>
#include <coroutine>
#include <cstddef>
#include <source_location>
#include <type_traits>
#include <utility>

/// Coroutines of Deferreds: included by <reactor/deferred.hpp>.

namespace torsion {

namespace detail {

template <class T>
class CoroutinePromise;

/// The two ways in which a coroutine ends; a promise type must have one alone.
template <class T>
class CoroutineReturn {
public:
    /// `co_return` takes a value, a Failure or a Result.
    template <class U = T>
        requires std::is_constructible_v<Result<T>, U>
    void return_value(U&& value) {
        static_cast<CoroutinePromise<T>*>(this)->store(Result<T>(std::forward<U>(value)));
    }
};
template <>
class CoroutineReturn<void> {
public:
    inline void return_void() noexcept;
};

/// The state of a coroutine, in its frame: the node that waits for what the coroutine awaits, and that its Deferred
/// waits for. The frame, and with it the parameters, lives until the coroutine has ended and its result was taken: it
/// is gone when the next coroutine goes on, or the next step runs.
template <class T>
class CoroutinePromise final : public ResultNode<T>, public CoroutineReturn<T> {
    using Handle = std::coroutine_handle<CoroutinePromise>;

public:
    /// @param place that of the coroutine, not of the call.
    explicit CoroutinePromise(std::source_location place = std::source_location::current()) noexcept
        : ResultNode<T>(place) {}

    using ResultNode<T>::operator new;
    using ResultNode<T>::operator delete;

    Deferred<T> get_return_object() noexcept {
        running_ = NodePtr(this);
        return Deferred<T>(NodePtr(this), this->place());
    }

    /// Runs at once, up to the first thing that is not there yet.
    std::suspend_never initial_suspend() noexcept { return {}; }

    /// The frame stays until the result is taken; the chain below goes on.
    auto final_suspend() noexcept {
        struct End {
            bool await_ready() noexcept { return false; }
            void await_suspend(Handle handle) noexcept { handle.promise().end(); }
            void await_resume() noexcept {}
        };
        return End();
    }

    void unhandled_exception() noexcept { this->storeFailure(Failure::current()); }

    /// Whether the coroutine must be suspended for `inner`, which the caller holds.
    bool suspendFor(DeferredNode& inner) {
        if (std::exchange(cancelLater_, false)) {
            inner.cancel();
            if (inner.state() == DeferredNode::State::Fired)
                return false;
            this->requireAwaitable(inner);
        }
        this->await(inner);
        return true;
    }

protected:
    void run(NodePtr above) noexcept override {
        above = NodePtr(); // the awaiter has it, and gives the frame up with the result
        inChain_ = true;
        Handle::from_promise(*this).resume();
        inChain_ = false;
        this->keepWaiting();
    }

    /// Runs at present, or waits for something that is not ours: the next Deferred that it awaits is cancelled.
    void cancelTop() override {
        if (this->state() == DeferredNode::State::Waiting || this->state() == DeferredNode::State::Running)
            cancelLater_ = true;
    }

    void dispose() noexcept override { Handle::from_promise(*this).destroy(); }

private:
    void end() noexcept {
        NodePtr self = std::move(running_);
        // Else the loop that resumed it goes on below. This one lets go of the frame before the steps run.
        if (!inChain_ && this->hasFollower())
            this->settle(std::move(self));
    }

    NodePtr running_; // itself, until it has ended: whatever becomes of the Deferred, it is not destroyed before
    bool inChain_ = false;
    bool cancelLater_ = false;
};

inline void CoroutineReturn<void>::return_void() noexcept {
    static_cast<CoroutinePromise<void>*>(this)->store(Result<void>());
}

/// Awaits a Deferred. What is there is taken from it; what is not is kept here, so that nothing happens to a coroutine
/// whose Deferred was a member of an object that goes while it waits.
template <class T>
class DeferredAwaiter {
public:
    explicit DeferredAwaiter(Deferred<T>& deferred) noexcept : deferred_(&deferred) {}
    DeferredAwaiter(const DeferredAwaiter&) = delete;
    DeferredAwaiter& operator=(const DeferredAwaiter&) = delete;
    ~DeferredAwaiter() {
        if (inner_) // a frame of another library, destroyed while it waits
            NodePtr(std::move(inner_))->dropHandle();
    }

    bool await_ready() const {
        deferred_->requireUsable();
        return deferred_->hasResult();
    }

    template <class U>
    bool await_suspend(std::coroutine_handle<CoroutinePromise<U>> waiting) {
        waiting.promise().requireAwaitable(*deferred_->node_);
        // First of all: a canceller may destroy the object whose member the Deferred is.
        inner_ = deferred_->releaseNode();
        return waiting.promise().suspendFor(*inner_);
    }

    /// In a coroutine of another library.
    template <class Promise>
    void await_suspend(std::coroutine_handle<Promise> waiting) {
        deferred_->node_->attach(NodePtr(new ForeignWaiter(waiting, deferred_->place_)));
        inner_ = deferred_->releaseNode();
    }

    T await_resume() { return inner_ ? takeResult().value() : std::move(*deferred_).takeValue(); }

protected:
    Result<T> takeResult() noexcept {
        if (const NodePtr inner = std::move(inner_))
            return static_cast<ResultNode<T>&>(*inner).take();
        return std::move(*deferred_).takeResult();
    }

private:
    Deferred<T>* deferred_;
    NodePtr inner_;
};

template <class T>
class ResultAwaiter : public DeferredAwaiter<T> {
public:
    using DeferredAwaiter<T>::DeferredAwaiter;

    Result<T> await_resume() noexcept { return this->takeResult(); }
};

/// What asResult() returns.
template <class T>
class [[nodiscard]] ResultAwaitable {
public:
    explicit ResultAwaitable(Deferred<T>&& deferred) noexcept : deferred_(std::move(deferred)) {}

    ResultAwaiter<T> operator co_await() && noexcept { return ResultAwaiter<T>(deferred_); }

private:
    Deferred<T> deferred_;
};

} // namespace detail

template <class T>
detail::DeferredAwaiter<T> Deferred<T>::operator co_await() && noexcept {
    return detail::DeferredAwaiter<T>(*this);
}

/// For `Result<T> result = co_await asResult(std::move(deferred));`, which does not throw where the Deferred fails.
template <class T>
detail::ResultAwaitable<T> asResult(Deferred<T> deferred) noexcept {
    return detail::ResultAwaitable<T>(std::move(deferred));
}

} // namespace torsion
