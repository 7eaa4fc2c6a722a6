#pragma once

#include <spdlog/fmt/fmt.h>
#include <spdlog/logger.h>

#include <memory>

/// The one logger of the library. Nothing is logged per message or per byte at `info`.
namespace torsion::log {

/// The logger that everything in the library writes to: named "torsion", to stderr, level info, until it is replaced.
/// May be called on any thread, and from destructors of static objects.
std::shared_ptr<spdlog::logger> logger();

/// Replaces the logger; null puts the default one back. May be called on any thread; what is being logged at that
/// moment may still go to the previous one.
void setLogger(std::shared_ptr<spdlog::logger> logger);

/// Writes a line, if the logger takes its level: `log::write(level, "listening on {}", address.toString())`. May be
/// called on any thread; never throws, a text that cannot be formatted is written as it is.
/// The same as the logger's own functions, but formatted inside the library: what calls them is quicker to compile.
template <typename... Args>
void write(spdlog::level::level_enum level, fmt::format_string<Args...> text, Args&&... args) noexcept;

/// As `write`, at the level of that name.
template <typename... Args>
void debug(fmt::format_string<Args...> text, Args&&... args) noexcept;
template <typename... Args>
void info(fmt::format_string<Args...> text, Args&&... args) noexcept;
template <typename... Args>
void warn(fmt::format_string<Args...> text, Args&&... args) noexcept;
template <typename... Args>
void error(fmt::format_string<Args...> text, Args&&... args) noexcept;
template <typename... Args>
void critical(fmt::format_string<Args...> text, Args&&... args) noexcept;

namespace detail {
void writeLine(spdlog::level::level_enum level, fmt::string_view text, fmt::format_args args) noexcept;
} // namespace detail

template <typename... Args>
void write(spdlog::level::level_enum level, fmt::format_string<Args...> text, Args&&... args) noexcept {
    detail::writeLine(level, text, fmt::make_format_args(args...));
}

template <typename... Args>
void debug(fmt::format_string<Args...> text, Args&&... args) noexcept {
    detail::writeLine(spdlog::level::debug, text, fmt::make_format_args(args...));
}

template <typename... Args>
void info(fmt::format_string<Args...> text, Args&&... args) noexcept {
    detail::writeLine(spdlog::level::info, text, fmt::make_format_args(args...));
}

template <typename... Args>
void warn(fmt::format_string<Args...> text, Args&&... args) noexcept {
    detail::writeLine(spdlog::level::warn, text, fmt::make_format_args(args...));
}

template <typename... Args>
void error(fmt::format_string<Args...> text, Args&&... args) noexcept {
    detail::writeLine(spdlog::level::err, text, fmt::make_format_args(args...));
}

template <typename... Args>
void critical(fmt::format_string<Args...> text, Args&&... args) noexcept {
    detail::writeLine(spdlog::level::critical, text, fmt::make_format_args(args...));
}

} // namespace torsion::log
