#include <reactor/libuv/patience.hpp>

#include <reactor/log.hpp>

#include <uv.h>

#include <string>
#include <utility>

namespace torsion::uv {

namespace {

TimePoint readClock() noexcept {
    return TimePoint::fromNanoseconds(static_cast<std::int64_t>(uv_hrtime()));
}

double seconds(Duration span) noexcept {
    return std::chrono::duration<double>(span).count();
}

} // namespace

std::optional<Duration> Patience::overdue(TimePoint now) noexcept {
    if (told_ || now < due_ || now - due_ <= limit_)
        return std::nullopt;
    told_ = true;
    timesLate_.fetch_add(1, std::memory_order_relaxed);
    return now - due_;
}

void Patience::report(Duration late, std::string_view what) {
    log::warn("embedded reactor: its host has not dispatched for {:.3f} s though there is something to do{}{}: does it "
              "watch descriptor {} for input, level-triggered, and heed timeout() or onChange?",
              seconds(late), what.empty() ? "" : " (", what.empty() ? "" : std::string(what.substr(2)) + ")",
              descriptor_);
}

bool Patience::isLate(std::size_t waiting) noexcept {
    const TimePoint now = readClock();
    if (waiting == 1) {
        posted_ = now;
        postedTold_ = false;
        return false;
    }
    if (now - posted_ <= limit_ || std::exchange(postedTold_, true))
        return false;
    timesLate_.fetch_add(1, std::memory_order_relaxed);
    return true;
}

void Patience::onLate(std::size_t waiting) noexcept {
    log::warn("embedded reactor: its host has not dispatched for more than {:.3f} s though {} calls from threads wait: "
              "does it watch descriptor {} for input, level-triggered?",
              seconds(limit_), waiting, descriptor_);
}

} // namespace torsion::uv
