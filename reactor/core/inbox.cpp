#include <reactor/core/inbox.hpp>

#include <utility>

namespace torsion {

bool RemoteInbox::post(Function<void()> f) {
    std::shared_ptr<Watch> late;
    std::size_t count = 0;
    {
        const std::lock_guard lock(mutex_);
        if (!open_)
            return false;
        calls_.push_back(std::move(f));
        waiting_.store(true, std::memory_order_release);
        count = calls_.size();
        if (count == 1)
            wake_();
        if (watch_ && watch_->isLate(count))
            late = watch_;
    }
    if (late)
        late->onLate(count);
    return true;
}

void RemoteInbox::watch(std::shared_ptr<Watch> watch) {
    const std::lock_guard lock(mutex_);
    watch_ = std::move(watch);
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
        watch_.reset();
    }
}

bool Remote::post(Function<void()> f) const {
    return inbox_ && inbox_->post(std::move(f));
}

} // namespace torsion
