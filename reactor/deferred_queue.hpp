#pragma once

#include <reactor/deferred.hpp>
#include <reactor/detail/waiters.hpp>
#include <reactor/errors.hpp>

#include <cstddef>
#include <deque>
#include <limits>
#include <source_location>
#include <type_traits>
#include <utility>

namespace torsion {

/// The limits of a DeferredQueue. Without them, as in Twisted, it takes all there is memory for: whoever puts is then
/// to be slowed down by other means.
struct DeferredQueueOptions {
    /// Objects that are kept for later.
    std::size_t size = std::numeric_limits<std::size_t>::max();
    /// Those who may wait for one.
    std::size_t backlog = std::numeric_limits<std::size_t>::max();
};
static_assert(std::is_trivially_destructible_v<DeferredQueueOptions>);

/// Objects for those who wait for them, first come, first served, both ways (S-181).
///
/// Owned by whoever made it; on one thread. Destroying it, which a step of its own Deferreds may do, fails those who
/// wait with BrokenPromiseError.
template <class T>
class DeferredQueue {
public:
    explicit DeferredQueue(DeferredQueueOptions options = {}) noexcept : options_(options) {}
    DeferredQueue(const DeferredQueue&) = delete;
    DeferredQueue& operator=(const DeferredQueue&) = delete;

    /// Gives the object to the first who waits, whose steps run before this returns, or keeps it. Throws QueueOverflow
    /// when there are `size` already.
    void put(T object) {
        if (!waiters_.empty()) {
            waiters_.takeFirst().callback(std::move(object));
        } else if (objects_.size() < options_.size) {
            objects_.push_back(std::move(object));
        } else {
            throw QueueOverflow();
        }
    }

    /// The next object. Fails with QueueUnderflow when `backlog` wait already. Cancelled, it is forgotten: the next
    /// object is for the next one.
    Deferred<T> get(std::source_location place = std::source_location::current()) {
        if (!objects_.empty()) {
            Deferred<T> next = Deferred<T>::succeed(std::move(objects_.front()), place);
            objects_.pop_front();
            return next;
        }
        if (waiters_.size() < options_.backlog)
            return waiters_.add(place);
        return Deferred<T>::fail(Failure::of<QueueUnderflow>(), place);
    }

    /// Objects that are kept, and those who wait.
    std::size_t size() const noexcept { return objects_.size(); }
    std::size_t waiting() const noexcept { return waiters_.size(); }

private:
    DeferredQueueOptions options_;
    std::deque<T> objects_;
    detail::Waiters<T> waiters_;
};

} // namespace torsion
