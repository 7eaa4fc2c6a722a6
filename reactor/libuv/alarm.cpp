#include <reactor/libuv/alarm.hpp>

#include <uv.h>

#include <sys/timerfd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <system_error>

namespace torsion::uv {

namespace {

Descriptor makeTimer() {
    Descriptor timer(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
    if (!timer)
        throw std::system_error(errno, std::generic_category(), "cannot make a timer for an embedded reactor");
    return timer;
}

} // namespace

Alarm::Alarm(LoopContext& context) : timer_(makeTimer()), watch_(context, timer_.get(), *this) {
    watch_.watch(UV_READABLE);
}

// Setting it takes back that it has fired, too, so it is never read. The clock is uv_hrtime()'s.
void Alarm::set(std::optional<TimePoint> time) noexcept {
    if (!fired_ && time == time_)
        return;
    itimerspec spec{};
    if (time) {
        const std::int64_t nanoseconds = std::max<std::int64_t>(time->nanoseconds(), 1);
        spec.it_value.tv_sec = nanoseconds / 1'000'000'000;
        spec.it_value.tv_nsec = nanoseconds % 1'000'000'000;
    }
    ::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &spec, nullptr);
    fired_ = false;
    time_ = time;
}

void Alarm::setAtLatest(TimePoint time) noexcept {
    if (fired_ || !time_ || time < *time_)
        set(time);
}

} // namespace torsion::uv
