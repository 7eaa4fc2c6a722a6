/// What GCC 12 does wrong, and how a coroutine is written that works with it, too (tests/lint/coroutines_test.py).
///
/// In a statement with co_await, that compiler destroys some temporaries twice: aggregates made with braces, written or
/// as default arguments, and lambdas with captures. With a std::string inside that is a double free. Objects of other
/// classes, made by a constructor or returned, are destroyed once.

#include <reactor/coroutine.hpp>
#include <reactor/deferred.hpp>

#include <doctest/doctest.h>

using namespace torsion;

namespace {

#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ == 12
constexpr int kDestroyed = 2;
#else
constexpr int kDestroyed = 1;
#endif

/// Counts instead of crashing.
struct Counted {
    explicit Counted(int& destroyed) noexcept : count(&destroyed) {}
    Counted(const Counted& other) noexcept = default;
    Counted& operator=(const Counted&) = delete;
    ~Counted() { ++*count; }
    int* count;
};

struct Settings {
    Counted name;
};

struct Plain {
    int* seen = nullptr;
};

Deferred<void> use(const Settings&) {
    return succeed();
}

Deferred<void> usePlain(Plain plain) {
    ++*plain.seen;
    return succeed();
}

template <class F>
Deferred<void> call(F function) {
    function();
    return succeed();
}

} // namespace

TEST_CASE("GCC 12 destroys an aggregate in a statement with co_await twice") {
    int destroyed = 0;
    [](int& gone) -> Deferred<void> { co_await use({.name = Counted(gone)}); }(destroyed).detach();
    CHECK(destroyed == kDestroyed);
}

TEST_CASE("GCC 12 destroys a lambda in a statement with co_await twice") {
    int destroyed = 0;
    [](int& gone) -> Deferred<void> { co_await call([own = Counted(gone)] {}); }(destroyed).detach();
    CHECK(destroyed == kDestroyed);
}

TEST_CASE("with the Deferred made in a statement of its own, each is destroyed once") {
    int destroyed = 0;
    [](int& gone) -> Deferred<void> {
        auto used = use({.name = Counted(gone)});
        co_await std::move(used);
        auto called = call([own = Counted(gone)] {});
        co_await std::move(called);
    }(destroyed)
                         .detach();
    CHECK(destroyed == 2);
}

TEST_CASE("options that are trivially destructible may stand in a statement with co_await") {
    int seen = 0;
    [](int& count) -> Deferred<void> { co_await usePlain({.seen = &count}); }(seen).detach();
    CHECK(seen == 1);
}
