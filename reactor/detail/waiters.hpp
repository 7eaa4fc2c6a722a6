#pragma once

#include <reactor/deferred.hpp>

#include <cstddef>
#include <cstdint>
#include <list>
#include <source_location>
#include <utility>

namespace torsion::detail {

/// Those who wait for something, in the order in which they came. A Deferred that is cancelled is forgotten. Destroying
/// the object fails those who are left with BrokenPromiseError.
template <class T>
class Waiters {
public:
    Waiters() = default;
    Waiters(const Waiters&) = delete;
    Waiters& operator=(const Waiters&) = delete;
    ~Waiters() { clear(); }

    /// Fails those who wait with BrokenPromiseError, one after the other: their steps may come back here.
    void clear() {
        while (!list_.empty())
            takeFirst();
    }

    Deferred<T> add(const std::source_location& place) {
        const auto entry = list_.emplace(list_.end(), Promise<T>(place), ++lastNumber_);
        entry->promise.onCancel([this, entry] { list_.erase(entry); });
        return entry->promise.deferred();
    }

    bool empty() const noexcept { return list_.empty(); }
    std::size_t size() const noexcept { return list_.size(); }

    /// Numbers go up; that of the first who waits, and of the last who has come so far.
    std::uint64_t firstNumber() const noexcept { return list_.front().number; }
    std::uint64_t lastNumber() const noexcept { return lastNumber_; }

    /// To be fired by the caller.
    Promise<T> takeFirst() noexcept {
        Promise<T> first = std::move(list_.front().promise);
        list_.pop_front();
        first.onCancel(nullptr); // it is not in the list any more
        return first;
    }

private:
    struct Entry {
        Entry(Promise<T> waiting, std::uint64_t order) : promise(std::move(waiting)), number(order) {}
        Promise<T> promise;
        std::uint64_t number;
    };

    std::list<Entry> list_;
    std::uint64_t lastNumber_ = 0;
};

} // namespace torsion::detail
