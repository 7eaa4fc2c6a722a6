#include <reactor/failure.hpp>
#include <reactor/log.hpp>
#include <reactor/testing/clock.hpp>

#include <algorithm>
#include <stdexcept>

namespace torsion::testing {

using std::chrono::system_clock;

Clock::Clock() : wallAtStart_(std::chrono::sys_days(std::chrono::year(2001) / 1 / 1)), queue_(*this) {}

system_clock::time_point Clock::wall() const {
    return wallAtStart_ + std::chrono::floor<system_clock::duration>(now_ - TimePoint());
}

void Clock::setWall(system_clock::time_point date) noexcept {
    wallAtStart_ += date - wall();
}

DelayedCall Clock::schedule(Duration delay, Function<void()>&& call) {
    return queue_.schedule(now_ + delay, std::move(call));
}

void Clock::advanceBy(Duration span) {
    if (span < Duration::zero())
        throw std::invalid_argument("advance: the span is negative");
    advanceTo(now_ + span);
}

void Clock::advanceTo(TimePoint time) {
    if (time < now_)
        throw std::invalid_argument("advanceTo: the time is past");
    std::exception_ptr firstError;
    step(time, firstError);
    if (firstError != nullptr)
        std::rethrow_exception(firstError);
}

void Clock::pump(std::initializer_list<Duration> spans) {
    if (std::any_of(spans.begin(), spans.end(), [](Duration span) { return span < Duration::zero(); }))
        throw std::invalid_argument("pump: a span is negative");
    std::exception_ptr firstError;
    for (const Duration span : spans)
        step(now_ + span, firstError);
    if (firstError != nullptr)
        std::rethrow_exception(firstError);
}

void Clock::step(TimePoint target, std::exception_ptr& firstError) {
    // What was left or scheduled for a time not after this one has its turn now, not at the next step.
    if (const auto due = queue_.nextDue(); due.has_value() && *due <= now_)
        turn(now_, firstError);
    for (auto next = queue_.nextDueAfter(now_); next.has_value() && *next < target; next = queue_.nextDueAfter(now_))
        turn(*next, firstError);
    if (target > now_)
        turn(target, firstError);
}

void Clock::turn(TimePoint time, std::exception_ptr& firstError) {
    now_ = time;
    queue_.runDue(now_, [&firstError](Function<void()>& call) {
        try {
            call();
        } catch (...) {
            if (firstError == nullptr)
                firstError = std::current_exception();
            else
                log::error("while handling a timed call: {}", Failure::current().getErrorMessage());
        }
    });
}

} // namespace torsion::testing
