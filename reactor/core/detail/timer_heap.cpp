#include <reactor/core/detail/timer_heap.hpp>

#include <algorithm>

namespace torsion::detail {

static_assert(sizeof(TimerHeap::Entry) == 16);

TimerHeap::TimerHeap() : entries_(kRoot) {}

void TimerHeap::reserve(std::size_t slots) {
    if (slots <= places_.size())
        return;
    // Doubled, as the vectors would do themselves: slots come in small blocks.
    slots = std::max(slots, 2 * places_.size());
    entries_.reserve(kRoot + slots);
    places_.resize(slots);
}

void TimerHeap::push(const Entry& entry) noexcept {
    entries_.emplace_back();
    siftUp(entries_.size() - 1, entry);
}

void TimerHeap::erase(std::uint32_t slot) noexcept {
    const std::size_t index = places_[slot];
    const Entry last = entries_.back();
    entries_.pop_back();
    if (index != entries_.size())
        sift(index, last);
}

void TimerHeap::update(const Entry& entry) noexcept {
    sift(places_[entry.slot], entry);
}

std::optional<TimePoint> TimerHeap::firstAfter(TimePoint time) const {
    std::optional<TimePoint> first;
    std::vector<std::size_t> toVisit{kRoot};
    while (!toVisit.empty()) {
        const std::size_t index = toVisit.back();
        toVisit.pop_back();
        if (index >= entries_.size())
            continue;
        if (entries_[index].time > time) {
            first = std::min(first.value_or(TimePoint::max()), entries_[index].time);
            continue; // what is below is not earlier
        }
        for (std::size_t i = 0; i < 4; ++i)
            toVisit.push_back(firstChild(index) + i);
    }
    return first;
}

void TimerHeap::sift(std::size_t index, const Entry& entry) noexcept {
    if (index > kRoot && isLess(entry, entries_[parent(index)]))
        siftUp(index, entry);
    else
        siftDown(index, entry);
}

void TimerHeap::siftUp(std::size_t index, const Entry& entry) noexcept {
    const Entry moving = entry;
    while (index > kRoot) {
        const std::size_t above = parent(index);
        if (!isLess(moving, entries_[above]))
            break;
        place(index, entries_[above]);
        index = above;
    }
    place(index, moving);
}

void TimerHeap::siftDown(std::size_t index, const Entry& entry) noexcept {
    const Entry moving = entry;
    const std::size_t size = entries_.size();
    const Entry* entries = entries_.data();
    for (;;) {
        const std::size_t child = firstChild(index);
        std::size_t least = child;
        if (child + 4 <= size) [[likely]] {
            const std::size_t left = child + (isLess(entries[child + 1], entries[child]) ? 1U : 0U);
            const std::size_t right = child + 2 + (isLess(entries[child + 3], entries[child + 2]) ? 1U : 0U);
            least = isLess(entries[right], entries[left]) ? right : left;
        } else {
            if (child >= size)
                break;
            for (std::size_t i = child + 1; i < size; ++i)
                least = isLess(entries[i], entries[least]) ? i : least;
        }
        if (!isLess(entries[least], moving))
            break;
        place(index, entries[least]);
        index = least;
    }
    place(index, moving);
}

} // namespace torsion::detail
