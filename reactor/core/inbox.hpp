#pragma once

#include <reactor/function.hpp>
#include <reactor/reactor.hpp>

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace torsion {

/// Where other threads leave calls for a reactor. Outlives the reactor as long as a Remote exists.
class RemoteInbox {
public:
    /// Looks at what waits in the box; called on any thread.
    class Watch {
    public:
        virtual ~Watch() = default;
        /// A call was posted; `waiting` are there now. With the lock held. @returns whether to call `onLate()`.
        virtual bool isLate(std::size_t waiting) noexcept = 0;
        /// Without the lock.
        virtual void onLate(std::size_t waiting) noexcept = 0;
    };

    /// @param wake interrupts the reactor's waiting; called with the lock held, from any thread, until `close()`.
    explicit RemoteInbox(Function<void()> wake) : wake_(std::move(wake)) {}

    /// Any thread. Wakes only for the first call in an empty box (S-146).
    bool post(Function<void()> f);

    /// The reactor's thread: everything that is there now, in order (what comes meanwhile waits a turn, S-144).
    std::vector<Function<void()>> takeAll();

    /// Cheap enough to be asked every turn.
    bool empty() const noexcept { return !waiting_.load(std::memory_order_acquire); }

    /// The reactor's thread. Null for nobody.
    void watch(std::shared_ptr<Watch> watch);

    /// The reactor's thread, at its end: refuses further calls and drops those that are there.
    void close();

private:
    std::mutex mutex_;
    std::vector<Function<void()>> calls_;
    Function<void()> wake_;
    std::shared_ptr<Watch> watch_;
    bool open_ = true;
    std::atomic<bool> waiting_{false};
};

} // namespace torsion
