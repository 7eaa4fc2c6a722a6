#include <reactor/core/inbox.hpp>

#include <utility>

namespace torsion {

bool RemoteInbox::post(Function<void()> f) {
    const std::lock_guard lock(mutex_);
    if (!open_)
        return false;
    calls_.push_back(std::move(f));
    waiting_.store(true, std::memory_order_release);
    if (calls_.size() == 1)
        wake_();
    return true;
}

std::vector<Function<void()>> RemoteInbox::takeAll() {
    const std::lock_guard lock(mutex_);
    waiting_.store(false, std::memory_order_relaxed);
    return std::exchange(calls_, {});
}

void RemoteInbox::close() {
    std::vector<Function<void()>> dropped; // destroyed without the lock: a call's destructor may post
    {
        const std::lock_guard lock(mutex_);
        open_ = false;
        dropped.swap(calls_);
        wake_.reset();
    }
}

bool Remote::post(Function<void()> f) const {
    return inbox_ && inbox_->post(std::move(f));
}

} // namespace torsion
