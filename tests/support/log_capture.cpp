#include "support/log_capture.hpp"

#include <reactor/log.hpp>

#include <spdlog/sinks/base_sink.h>

#include <algorithm>
#include <mutex>

namespace torsion::test {

namespace {

struct Entry {
    spdlog::level::level_enum level;
    std::string text;
};

} // namespace

class LogCapture::Sink final : public spdlog::sinks::base_sink<std::mutex> {
public:
    std::vector<Entry> entries() {
        const std::lock_guard lock(mutex_);
        return entries_;
    }
    void clear() {
        const std::lock_guard lock(mutex_);
        entries_.clear();
    }

protected:
    void sink_it_(const spdlog::details::log_msg& message) override {
        entries_.push_back({message.level, std::string(message.payload.data(), message.payload.size())});
    }
    void flush_() override {}

private:
    std::vector<Entry> entries_;
};

LogCapture::LogCapture() : sink_(std::make_shared<Sink>()), previous_(log::logger()) {
    auto logger = std::make_shared<spdlog::logger>("torsion", sink_);
    logger->set_level(spdlog::level::trace);
    log::setLogger(std::move(logger));
}

LogCapture::~LogCapture() {
    log::setLogger(std::move(previous_));
}

std::vector<std::string> LogCapture::lines() const {
    std::vector<std::string> lines;
    for (Entry& entry : sink_->entries())
        lines.push_back(std::move(entry.text));
    return lines;
}

std::string LogCapture::text() const {
    std::string text;
    for (const std::string& line : lines())
        text += line + '\n';
    return text;
}

std::size_t LogCapture::count(std::string_view part) const {
    const std::vector<std::string> all = lines();
    return static_cast<std::size_t>(std::count_if(
        all.begin(), all.end(), [&](const std::string& line) { return line.find(part) != std::string::npos; }));
}

std::size_t LogCapture::count(spdlog::level::level_enum atLeast) const {
    const std::vector<Entry> all = sink_->entries();
    return static_cast<std::size_t>(
        std::count_if(all.begin(), all.end(), [&](const Entry& entry) { return entry.level >= atLeast; }));
}

void LogCapture::clear() {
    sink_->clear();
}

} // namespace torsion::test
