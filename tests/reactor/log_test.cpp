#include <reactor/detail/class_name.hpp>
#include <reactor/log.hpp>

#include "support/log_capture.hpp"
#include <doctest/doctest.h>

#include <stdexcept>
#include <string>
#include <vector>

using namespace torsion;

namespace app {
class ChatFactory {};
} // namespace app

namespace {
class Unnamed {};
} // namespace

TEST_CASE("the default logger is named torsion and drops what is below info") {
    const auto logger = log::logger();
    CHECK(logger->name() == "torsion");
    CHECK(logger->level() == spdlog::level::info);
}

TEST_CASE("setLogger replaces the logger, and null puts the default back") {
    const auto before = log::logger();
    {
        test::LogCapture outer;
        log::logger()->info("first {}", 1);
        {
            test::LogCapture inner;
            log::logger()->error("second");
            CHECK(inner.contains("second"));
            CHECK_FALSE(inner.contains("first"));
        }
        log::logger()->debug("third");
        CHECK(outer.lines() == std::vector<std::string>{"first 1", "third"});
        CHECK(outer.count("ir") == 2);
        CHECK(outer.count(spdlog::level::info) == 1);
        outer.clear();
        CHECK(outer.count() == 0);
    }
    CHECK(log::logger() == before);
    log::setLogger(nullptr);
    CHECK(log::logger()->name() == "torsion");
}

namespace {
struct Unspeakable {};
} // namespace

template <>
struct fmt::formatter<Unspeakable> : fmt::formatter<int> {
    auto format(const Unspeakable&, format_context& context) const -> decltype(context.out()) {
        throw std::runtime_error("not for the ears of others");
        return context.out();
    }
};

TEST_CASE("a line is written at its level, formatted, where the logger takes that level") {
    test::LogCapture log;
    log::debug("one {}", 1);
    log::info("two {} {}", "and", std::string("a half"));
    log::warn("three");
    log::error("four {:.1f}", 4.0);
    log::critical("five");
    log::write(spdlog::level::trace, "six {}", 6);
    CHECK(log.lines() == std::vector<std::string>{"one 1", "two and a half", "three", "four 4.0", "five", "six 6"});
    CHECK(log.count(spdlog::level::info) == 4);
    CHECK(log.count(spdlog::level::warn) == 3);
    CHECK(log.count(spdlog::level::err) == 2);
    CHECK(log.count(spdlog::level::critical) == 1);

    log.clear();
    log::logger()->set_level(spdlog::level::warn);
    log::info("unheard");
    log::warn("heard");
    CHECK(log.lines() == std::vector<std::string>{"heard"});
}

TEST_CASE("an argument that cannot be formatted does not keep the line from being written") {
    test::LogCapture log;
    log::error("something happened: {}", Unspeakable());
    CHECK(log.contains("something happened: {}"));
}

TEST_CASE("a class is named as in the source") {
    CHECK(detail::className(typeid(app::ChatFactory)) == "app::ChatFactory");
    CHECK(detail::className(typeid(int)) == "int");
    CHECK(detail::className(typeid(Unnamed)) == "Unnamed");
}
