#pragma once

#include <reactor/embedding/embedding.hpp>
#include <reactor/log.hpp>

#include <algorithm>
#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>

namespace torsion {

/// What the adapters to host loops have in common: when to dispatch, to watch, to set the host's timer, and to let go.
/// An adapter derives from this, says how its host does these things, calls `attach()` at the end of its constructor
/// and `detach()` at the beginning of its destructor, and `dispatch()` when the host tells it that the descriptor is
/// readable or the time has come.
///
/// May be destroyed at any time, inside of a dispatch too. When the reactor goes first, the adapter lets go of its
/// descriptor and does nothing more. Used on the reactor's thread, which is the host's.
///
/// A host that asks for the time before each wait has `wake()` and `changed()` do nothing (but wake the host, if it may
/// sleep while the program's code runs), and asks `wait()`.
class Adapter {
public:
    using Wait = std::optional<std::chrono::milliseconds>;

    Adapter(const Adapter&) = delete;
    Adapter& operator=(const Adapter&) = delete;

    /// Does what the reactor has to do, and tells the host what to wait for next. The host calls it through the
    /// adapter; a program may, too, at any time.
    Dispatched dispatch();

    /// Tells the host anew what to wait for. A program calls it as it begins to run the host's loop inside of a
    /// callback (a modal dialog), unless the adapter says that it need not; and in a child process, after
    /// `afterFork()`.
    void refresh();

    /// `Embedding::afterFork()`, for hosts that go on in a child process and have registered the descriptor with the
    /// kernel (epoll): takes it out as long as its number is that of the parent's, which could not be taken out later
    /// and would wake the child for the parent's sake. After what the host itself does in a child.
    /// @throws std::logic_error inside a dispatch; std::system_error
    void afterFork();

    /// The reactor inside.
    Embedding& embedding() noexcept { return embedding_; }

protected:
    explicit Adapter(Embedding embedding) : embedding_(std::move(embedding)) {}
    virtual ~Adapter() { *self_ = nullptr; }

    /// @throws std::logic_error when the reactor has a host already, or is gone; what `watch()` throws
    void attach() { attach(true); }

    /// The same, for a host that asks for the time before each wait, and for the descriptor: need not be told of
    /// changes, and leaves `onChange` to the program.
    void attachUntold() { attach(false); }
    void detach() noexcept;

    /// @name What the host does
    /// @{

    /// Begins to call `dispatch()` whenever `descriptor` is readable: level-triggered, for input alone.
    virtual void watch(int descriptor) = 0;

    /// Ends that. The descriptor is open still, and may be watched again.
    virtual void unwatch() noexcept = 0;

    /// Has `dispatch()` called once after `wait`, in place of what was asked for before; none: not at all. Never early,
    /// and late by a millisecond at most.
    ///
    /// Called after each dispatch. A host that watches a descriptor for one event only begins to watch again here.
    virtual void wake(Wait wait) noexcept = 0;

    /// @}

    /// Something has changed outside of a dispatch. A host that asks for the time before each wait overrides it, to be
    /// woken and nothing else.
    virtual void changed() noexcept { wake(wait()); }

    /// How long the host may wait from now on: `Embedding::timeout()`, but for a dispatch that was busy, which is not
    /// tried again at once. Zero: dispatch. Inside of a callback this sends what has been written, and a producer that
    /// is told of it may destroy this object.
    Wait wait() noexcept;

    /// For code that goes on after a dispatch, or after `wait()`: null inside when this object is gone.
    std::shared_ptr<Adapter* const> self() const noexcept { return self_; }

private:
    using Clock = std::chrono::steady_clock;

    void attach(bool told);
    void renew() noexcept;
    void watchAnew() noexcept;
    void settle(Dispatched result) noexcept;

    Embedding embedding_;
    std::shared_ptr<Adapter*> self_ = std::make_shared<Adapter*>(this); // a dispatch has it, too
    std::optional<Clock::time_point> retry_; // of a busy dispatch; none: when the one ends that is on the stack
    unsigned generation_ = 0;
    int depth_ = 0; // dispatches on the stack
    bool attached_ = false;
    bool told_ = false; // onChange is ours
    bool watching_ = false;
    bool busy_ = false; // the last dispatch was
};

inline void Adapter::attach(bool told) {
    if (!embedding_.reactor())
        throw std::logic_error("embedding: a host for a reactor that is gone");
    embedding_.timeout(); // on another thread that is asserted, before the host is touched
    embedding_.onGone([this] {
        if (std::exchange(watching_, false))
            unwatch();
        wake(std::nullopt);
        attached_ = false;
    });
    attached_ = true;
    try {
        if (told) {
            embedding_.onChange([this] {
                renew();
                changed();
            });
            told_ = true; // else the program's own function stays
        }
        generation_ = embedding_.generation();
        watch(embedding_.fd());
        watching_ = true;
        wake(wait());
    } catch (...) {
        detach();
        throw;
    }
}

inline void Adapter::detach() noexcept {
    *self_ = nullptr;
    if (!std::exchange(attached_, false))
        return;
    if (std::exchange(watching_, false))
        unwatch();
    if (std::exchange(told_, false))
        embedding_.onChange(nullptr);
    embedding_.onGone(nullptr);
}

inline Dispatched Adapter::dispatch() {
    if (!embedding_.reactor())
        return Dispatched::Stopped; // called by what the host had under way
    const std::shared_ptr<Adapter*> self = self_;
    Embedding embedding = embedding_;
    ++depth_;
    const Dispatched result = embedding.dispatch();
    if (*self) {
        --depth_;
        settle(result);
    }
    return result;
}

inline void Adapter::refresh() {
    if (!attached_)
        return;
    renew();
    const auto self = self_;
    const Wait asked = wait();
    if (*self)
        wake(asked);
}

inline void Adapter::afterFork() {
    if (depth_ == 0 && std::exchange(watching_, false))
        unwatch();
    embedding_.afterFork();
    refresh();
}

inline Adapter::Wait Adapter::wait() noexcept {
    if (!attached_)
        return std::nullopt;
    if (!busy_)
        return embedding_.timeout();
    if (!retry_)
        return std::nullopt;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*retry_ - Clock::now());
    return std::max(left, std::chrono::milliseconds(0));
}

// After a fork the host has to be told of the descriptor again, though its number may be the same.
inline void Adapter::renew() noexcept {
    if (generation_ == embedding_.generation())
        return;
    generation_ = embedding_.generation();
    if (std::exchange(watching_, false))
        unwatch();
    watchAnew();
}

inline void Adapter::watchAnew() noexcept {
    try {
        watch(embedding_.fd());
        watching_ = true;
    } catch (const std::exception& error) {
        log::error("embedding: the host cannot watch descriptor {}, and connections stand still: {}", embedding_.fd(),
                   error.what());
    }
}

inline void Adapter::settle(Dispatched result) noexcept {
    using namespace std::chrono_literals;
    if (!attached_)
        return;
    renew();
    busy_ = result == Dispatched::Busy;
    if (busy_) {
        if (std::exchange(watching_, false))
            unwatch(); // readable until the dispatch that is on the stack goes on: the host would spin
        retry_.reset();
        if (depth_ == 0) // else that comes here as it ends
            retry_ = Clock::now() + 10ms;
    } else if (!watching_) {
        watchAnew();
    }
    const auto self = self_;
    const Wait asked = wait(); // asked in any case: what changes from now on is told
    if (*self)
        wake(result == Dispatched::More ? 0ms : asked);
}

} // namespace torsion
