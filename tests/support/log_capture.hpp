#pragma once

#include <spdlog/common.h>
#include <spdlog/logger.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace torsion::test {

/// Takes what the library logs, from all levels, for as long as it lives; the default logger is back afterwards, or the
/// one of the LogCapture around it. What other threads log is taken too.
class LogCapture {
public:
    LogCapture();
    ~LogCapture();
    LogCapture(const LogCapture&) = delete;
    LogCapture& operator=(const LogCapture&) = delete;

    /// The messages, without time and level, in order.
    std::vector<std::string> lines() const;

    /// All messages, one per line.
    std::string text() const;

    /// How many messages there are, how many contain `part`, and how many have the level or one above.
    std::size_t count() const { return lines().size(); }
    std::size_t count(std::string_view part) const;
    std::size_t count(spdlog::level::level_enum atLeast) const;

    bool contains(std::string_view part) const { return count(part) != 0; }

    /// Forgets what was logged so far.
    void clear();

private:
    class Sink;

    std::shared_ptr<Sink> sink_;
    std::shared_ptr<spdlog::logger> previous_;
};

} // namespace torsion::test
