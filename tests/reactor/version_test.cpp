#include <reactor/version.hpp>

#include <doctest/doctest.h>

#include <string>

TEST_CASE("the version's text is made of its numbers") {
    const std::string expected = std::to_string(torsion::kVersionMajor) + "." + std::to_string(torsion::kVersionMinor) +
                                 "." + std::to_string(torsion::kVersionPatch);
    CHECK(torsion::version() == expected);
}
