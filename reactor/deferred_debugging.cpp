#include <reactor/deferred_debugging.hpp>

#include <reactor/detail/deferred_node.hpp>
#include <reactor/detail/deferred_records.hpp>
#include <reactor/log.hpp>

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <utility>

namespace torsion {

namespace {

using Place = std::source_location;
using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t kMaxTrail = 16;

struct Record {
    std::uint64_t number = 0; // in the order of creation
    Place place{};
    std::thread::id thread{};
    SteadyClock::time_point created{};
    detail::WaitsFor waitsFor = detail::WaitsFor::Producer;
    bool cancelled = false;
    std::optional<Place> fired{};
    std::vector<Place> trail{}; // where the result has been before
};

/// Of all threads: a Deferred may be made on one and end on another.
struct Records {
    std::mutex mutex;
    std::unordered_map<const detail::DeferredNode*, Record> byNode;
    std::uint64_t lastNumber = 0;
};

// Never destroyed: Deferreds may end after it would be.
Records& records() {
    static Records& all = *new Records();
    return all;
}

bool isSame(const Place& a, const Place& b) {
    return a.line() == b.line() && std::string_view(a.file_name()) == b.file_name();
}

std::string textOf(const Place& place) {
    return fmt::format("{}:{}", place.file_name(), place.line());
}

/// Calls `use(record)` if there is one. Nothing here is worth ending the program for.
template <class F>
void withRecord(const detail::DeferredNode& node, F&& use) noexcept {
    try {
        Records& all = records();
        const std::lock_guard lock(all.mutex);
        const auto entry = all.byNode.find(&node);
        if (entry != all.byNode.end())
            use(entry->second);
    } catch (...) {
    }
}

/// What brought the result, as far as it is known.
std::string firedText(const Record& record) {
    if (record.fired)
        return "fired at " + textOf(*record.fired);
    return record.cancelled ? "cancelled" : "";
}

} // namespace

void setDebugging(bool on) noexcept {
    detail::debugging.store(on, std::memory_order_relaxed);
}

bool getDebugging() noexcept {
    return detail::debugging.load(std::memory_order_relaxed);
}

std::vector<PendingDeferred> pendingDeferreds() {
    const SteadyClock::time_point now = SteadyClock::now();
    std::vector<std::pair<std::uint64_t, PendingDeferred>> found;
    {
        Records& all = records();
        const std::lock_guard lock(all.mutex);
        for (const auto& [node, record] : all.byNode) {
            if (record.waitsFor == detail::WaitsFor::Producer && record.thread == std::this_thread::get_id())
                found.emplace_back(record.number, PendingDeferred{record.place, now - record.created});
        }
    }
    std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<PendingDeferred> pending;
    pending.reserve(found.size());
    for (const auto& [number, deferred] : found)
        pending.push_back(deferred);
    return pending;
}

namespace detail {

bool recordNode(const DeferredNode& node) noexcept {
    try {
        Records& all = records();
        const std::lock_guard lock(all.mutex);
        all.byNode[&node] = Record{.number = ++all.lastNumber,
                                   .place = node.place(),
                                   .thread = std::this_thread::get_id(),
                                   .created = SteadyClock::now()};
        return true;
    } catch (...) {
        return false;
    }
}

void forgetNode(const DeferredNode& node) noexcept {
    Records& all = records();
    const std::lock_guard lock(all.mutex);
    all.byNode.erase(&node);
}

void recordWaiting(const DeferredNode& node, WaitsFor what) noexcept {
    withRecord(node, [what](Record& record) { record.waitsFor = what; });
}

void recordFired(const DeferredNode& node, const std::source_location& place) noexcept {
    bool strange = false;
    withRecord(node, [&](Record& record) {
        record.fired = place;
        strange = record.thread != std::this_thread::get_id();
    });
    if (strange) {
        log::error(
            "A Deferred that was made on another thread (at {}) is fired here: callFromThread is the way to its own "
            "(fired at {})",
            textOf(node.place()), textOf(place));
    }
}

void recordCancelled(const DeferredNode& node) noexcept {
    withRecord(node, [](Record& record) { record.cancelled = true; });
}

void recordResult(const DeferredNode& above, const DeferredNode& below) noexcept {
    Record from;
    withRecord(above, [&from](const Record& record) { from = record; });
    withRecord(below, [&](Record& record) {
        if (from.trail.empty() || !isSame(from.trail.back(), above.place()))
            from.trail.push_back(above.place());
        if (from.trail.size() > kMaxTrail)
            from.trail.erase(from.trail.begin());
        record.waitsFor = WaitsFor::Nothing;
        record.fired = from.fired;
        record.cancelled = from.cancelled;
        record.trail = std::move(from.trail);
    });
}

void recordSuspended(const DeferredNode& node) noexcept {
    withRecord(node, [](Record& record) {
        if (record.waitsFor == WaitsFor::Nothing)
            record.waitsFor = WaitsFor::Producer;
    });
}

std::string historyOf(const DeferredNode& node) noexcept {
    std::string history;
    withRecord(node, [&](const Record& record) {
        std::string text;
        if (const std::string fired = firedText(record); !fired.empty())
            text = ", " + fired;
        const char* before = ", by way of ";
        for (const Place& place : record.trail) {
            if (isSame(place, node.place()))
                continue;
            text += std::exchange(before, ", ") + textOf(place);
        }
        history = std::move(text);
    });
    return history;
}

std::string storyOf(const DeferredNode& node) noexcept {
    std::string story;
    withRecord(node, [&](const Record& record) {
        story = fmt::format("created at {}, first {}", textOf(node.place()), firedText(record));
    });
    return story;
}

} // namespace detail

} // namespace torsion
