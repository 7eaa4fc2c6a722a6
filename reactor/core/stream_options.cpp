#include <reactor/core/stream_options.hpp>

#include <spdlog/fmt/fmt.h>

#include <limits>
#include <stdexcept>

namespace torsion::core {

namespace {

constexpr std::chrono::seconds kMaxKeepAliveTime{32767};
constexpr int kMaxKeepAliveCount = 127;

void checkKeepAliveTime(const char* name, std::chrono::seconds time) {
    if (time.count() < 1 || time > kMaxKeepAliveTime) {
        throw std::invalid_argument(
            fmt::format("keepAlive.{} must be 1..{} s, not {} s", name, kMaxKeepAliveTime.count(), time.count()));
    }
}

} // namespace

void checkStreamOptions(const StreamOptions& options) {
    const WriteBufferLimits& limits = options.writeBuffer;
    if (limits.low > limits.high || limits.high > limits.hard) {
        throw std::invalid_argument(fmt::format("stream.writeBuffer must be low <= high <= hard, not {}, {}, {}",
                                                limits.low, limits.high, limits.hard));
    }
    if (options.close)
        checkCloseLimits(*options.close);
    if (options.keepAlive)
        checkKeepAlive(*options.keepAlive);
    checkUserTimeout(options.userTimeout);
}

void checkCloseLimits(const CloseLimits& limits) {
    const auto check = [](const char* name, std::chrono::milliseconds time) {
        if (time.count() < 0)
            throw std::invalid_argument(
                fmt::format("close limits: {} must not be negative: {} ms", name, time.count()));
    };
    check("stalled", limits.stalled);
    check("drain", limits.drain);
    check("quiet", limits.quiet);
    check("total", limits.total);
}

void checkKeepAlive(const KeepAlive& times) {
    checkKeepAliveTime("idle", times.idle);
    checkKeepAliveTime("interval", times.interval);
    if (times.count < 1 || times.count > kMaxKeepAliveCount) {
        throw std::invalid_argument(
            fmt::format("keepAlive.count must be 1..{}, not {}", kMaxKeepAliveCount, times.count));
    }
}

void checkUserTimeout(std::chrono::milliseconds timeout) {
    if (timeout.count() < 0 || timeout.count() > std::numeric_limits<int>::max()) {
        throw std::invalid_argument(
            fmt::format("userTimeout must be 0..{} ms, not {} ms", std::numeric_limits<int>::max(), timeout.count()));
    }
}

} // namespace torsion::core
