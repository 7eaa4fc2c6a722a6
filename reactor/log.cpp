#include <reactor/log.hpp>

#include <spdlog/sinks/stdout_color_sinks.h>

#include <mutex>
#include <utility>

namespace torsion::log {

namespace {

struct LoggerSlot {
    std::mutex mutex;
    std::shared_ptr<spdlog::logger> logger;
};

LoggerSlot& slot() {
    // Never destroyed: destructors of static objects may log.
    static LoggerSlot* const theSlot = new LoggerSlot;
    return *theSlot;
}

std::shared_ptr<spdlog::logger> makeDefaultLogger() {
    // Not through spdlog's registry, where a program may have a logger of that name.
    return std::make_shared<spdlog::logger>("torsion", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
}

} // namespace

std::shared_ptr<spdlog::logger> logger() {
    LoggerSlot& current = slot();
    const std::lock_guard lock(current.mutex);
    if (!current.logger)
        current.logger = makeDefaultLogger();
    return current.logger;
}

void setLogger(std::shared_ptr<spdlog::logger> logger) {
    LoggerSlot& current = slot();
    const std::lock_guard lock(current.mutex);
    current.logger.swap(logger);
    // The previous logger, now in the argument, is released by the caller, after the lock.
}

void detail::writeLine(spdlog::level::level_enum level, fmt::string_view text, fmt::format_args args) noexcept {
    try {
        const std::shared_ptr<spdlog::logger> current = logger();
        if (!current->should_log(level))
            return;
        try {
            current->log(level, fmt::vformat(text, args));
        } catch (...) {
            current->log(level, text);
        }
    } catch (...) {
        // Whoever logs cannot do anything about it.
    }
}

} // namespace torsion::log
