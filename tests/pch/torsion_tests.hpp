// Precompiled for the test program: what nearly every test includes and what is slow to parse. A test still includes
// what it uses; this file may be left out of a build (-Db_pch=false).
#include <doctest/doctest.h>
#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>
