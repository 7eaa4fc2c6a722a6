#pragma once

#include <spdlog/logger.h>

#include <memory>

/// The one logger of the library. Nothing is logged per message or per byte at `info`.
namespace torsion::log {

/// The logger that everything in the library writes to: named "torsion", to stderr, level info, until it is replaced.
/// `log::logger()->info("listening on {}", address.toString())`. May be called on any thread, and from destructors of
/// static objects.
std::shared_ptr<spdlog::logger> logger();

/// Replaces the logger; null puts the default one back. May be called on any thread; what is being logged at that
/// moment may still go to the previous one.
void setLogger(std::shared_ptr<spdlog::logger> logger);

} // namespace torsion::log
