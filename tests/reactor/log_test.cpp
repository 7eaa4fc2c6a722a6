#include <reactor/detail/class_name.hpp>
#include <reactor/log.hpp>

#include "support/log_capture.hpp"
#include <doctest/doctest.h>

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

TEST_CASE("a class is named as in the source") {
    CHECK(detail::className(typeid(app::ChatFactory)) == "app::ChatFactory");
    CHECK(detail::className(typeid(int)) == "int");
    CHECK(detail::className(typeid(Unnamed)) == "Unnamed");
}
