#pragma once

#include <reactor/embedding/embedding.hpp>
#include <reactor/log.hpp>

#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <utility>

namespace torsion {

/// What the adapters to host loops have in common: when to dispatch, to watch, to set the host's timer, and to let go.
/// An adapter derives from this, says how its host does these things, calls `attach()` at the end of its constructor
/// and `detach()` at the beginning of its destructor, and `dispatch()` when the host tells it that the descriptor is
/// readable or the time has come.
///
/// May be destroyed at any time, inside of a dispatch too. When the reactor goes first, the adapter lets go of its
/// descriptor and does nothing more. Used on the reactor's thread, which is the host's.
class Adapter {
public:
    using Wait = std::optional<std::chrono::milliseconds>;

    Adapter(const Adapter&) = delete;
    Adapter& operator=(const Adapter&) = delete;

    /// Does what the reactor has to do, and tells the host what to wait for next. The host calls it through the
    /// adapter; a program may, too, at any time.
    Dispatched dispatch();

    /// Tells the host anew what to wait for. A program calls it as it begins to run the host's loop inside of a
    /// callback (a modal dialog), unless the adapter says that it need not.
    void refresh();

    /// The reactor inside.
    Embedding& embedding() noexcept { return embedding_; }

protected:
    explicit Adapter(Embedding embedding) : embedding_(std::move(embedding)) {}
    virtual ~Adapter() { *self_ = nullptr; }

    /// @throws std::logic_error when the reactor has a host already; what `watch()` throws
    void attach();
    void detach() noexcept;

    /// @name What the host does
    /// @{

    /// Begins to call `dispatch()` whenever `descriptor` is readable: level-triggered, for input alone.
    virtual void watch(int descriptor) = 0;

    /// Ends that. The descriptor is open still, and may be watched again.
    virtual void unwatch() noexcept = 0;

    /// Has `dispatch()` called once after `wait`, in place of what was asked for before; none: not at all. Rather late
    /// than early, by no more than a millisecond. Asked after each dispatch, so a host whose watches end as they are
    /// told goes on watching here.
    virtual void wake(Wait wait) noexcept = 0;

    /// @}

    /// Something has changed outside of a dispatch. A host that asks for the time before each wait overrides it, to be
    /// woken and nothing else.
    virtual void changed() noexcept { wake(embedding_.timeout()); }

private:
    void watchAnew() noexcept;
    void settle(Dispatched result) noexcept;

    Embedding embedding_;
    std::shared_ptr<Adapter*> self_ = std::make_shared<Adapter*>(this); // a dispatch has it, too
    unsigned generation_ = 0;
    int depth_ = 0; // dispatches on the stack
    bool attached_ = false;
    bool watching_ = false;
};

inline void Adapter::attach() {
    embedding_.onGone([this] {
        if (std::exchange(watching_, false))
            unwatch();
        wake(std::nullopt);
        attached_ = false;
    });
    try {
        embedding_.onChange([this] { changed(); });
        attached_ = true;
        generation_ = embedding_.generation();
        watch(embedding_.fd());
        watching_ = true;
        wake(embedding_.timeout());
    } catch (...) {
        attached_ = true;
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
    embedding_.onChange(nullptr);
    embedding_.onGone(nullptr);
}

inline Dispatched Adapter::dispatch() {
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
    if (attached_)
        wake(embedding_.timeout());
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
    if (generation_ != embedding_.generation()) { // after a fork
        generation_ = embedding_.generation();
        if (std::exchange(watching_, false))
            unwatch();
    }
    const bool busy = result == Dispatched::Busy;
    if (busy && std::exchange(watching_, false))
        unwatch(); // readable until the dispatch that is on the stack goes on: the host would spin
    if (!busy && !watching_)
        watchAnew();
    if (busy) {
        wake(depth_ > 0 ? Wait() : 10ms); // the outer one comes here as it ends, if it is ours
        return;
    }
    const Wait asked = embedding_.timeout(); // asked in any case: what changes from now on is told
    wake(result == Dispatched::More ? 0ms : asked);
}

} // namespace torsion
