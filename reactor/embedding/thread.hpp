#pragma once

#include <reactor/embedding/adapter.hpp>
#include <reactor/embedding/detail/waiter.hpp>

#include <functional>
#include <utility>

namespace torsion {

/// A reactor inside of a host that watches no descriptors and can only be posted to: a thread waits in its place, and
/// posts what dispatches on the host's thread; while that is under way, the thread waits.
///
/// @code
/// torsion::ThreadAdapter inside(reactor.embed(), [&](std::function<void()> f) { host.post(std::move(f)); });
/// reactor.start();
/// host.run();
/// @endcode
///
/// All calls are made on the host's thread; the other calls `post` and nothing else. A function that the host drops, or
/// calls after the adapter's end, does nothing. A loop that runs inside of a callback (a dialog) calls `refresh()` as
/// it begins. A program that forks makes its adapter afterwards.
class ThreadAdapter final : public Adapter {
public:
    using Task = std::function<void()>;

    /// Has the host call a function on its own thread, soon. Called on another one; must not wait for the host's,
    /// which may be waiting for this one to end. When it throws, that is logged, and it is called again a little
    /// later; and so when the function is destroyed without having been called.
    using Post = std::function<void(Task)>;

    /// Starts the thread. @throws std::system_error, std::logic_error as Adapter::attach
    ThreadAdapter(Embedding embedding, Post post)
        : Adapter(std::move(embedding)), thread_(std::move(post), [this] { dispatch(); }) {
        attach();
    }

    /// Ends the thread, and waits for that; in a callback, and while something is posted, too.
    ~ThreadAdapter() override { detach(); }

private:
    void watch(int descriptor) override { thread_.watch(descriptor); }
    void unwatch() noexcept override { thread_.watch(-1); }
    void wake(Wait wait) noexcept override { thread_.waitFor(wait); }

    detail::WaiterThread thread_;
};

} // namespace torsion
