#include <reactor/function.hpp>

#include <doctest/doctest.h>

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>

using torsion::CallableRef;
using torsion::Function;

namespace {

int twice(int number) {
    return 2 * number;
}

struct Options {
    int backlog = 511;
    CallableRef<int(int)> hook;
};

static_assert(std::is_trivially_destructible_v<Options>);
static_assert(sizeof(Function<void()>) == 56);
static_assert(!std::is_copy_constructible_v<Function<void()>>);
static_assert(std::is_nothrow_move_constructible_v<Function<void()>>);
static_assert(!std::is_constructible_v<Function<void()>, int>);

/// Counts its living copies.
struct Tracked {
    std::shared_ptr<int> token;
    void operator()() const {}
};

} // namespace

TEST_CASE("Function calls a lambda, a function and a member function") {
    int sum = 0;
    Function<void(int)> add = [&sum](int number) { sum += number; };
    add(2);
    add(3);
    CHECK(sum == 5);

    Function<int(int)> function = twice;
    CHECK(function(21) == 42);

    Function<std::size_t(const std::string&)> member = &std::string::size;
    CHECK(member("four") == 4);
}

TEST_CASE("Function keeps callables of up to 48 bytes inside of itself and larger ones on the heap") {
    const std::array<char, 48> fits{};
    const std::array<char, 49> large{'x'};
    auto small = [fits] { return fits.size(); };
    auto big = [large] { return large[0]; };
    static_assert(Function<std::size_t()>::kStoredInline<decltype(small)>);
    static_assert(!Function<char()>::kStoredInline<decltype(big)>);

    Function<std::size_t()> inPlace = small;
    Function<char()> onHeap = big;
    Function<char()> moved = std::move(onHeap);
    CHECK(inPlace() == 48);
    CHECK(moved() == 'x');
}

TEST_CASE("a moved-from Function is empty and what it held moves along, move-only callables included") {
    Function<int()> first = [number = std::make_unique<int>(7)] { return *number; };
    Function<int()> second = std::move(first);
    CHECK_FALSE(static_cast<bool>(first));
    CHECK(second() == 7);
    first = std::move(second);
    CHECK(first() == 7);
}

TEST_CASE("Function passes arguments on without copying them") {
    Function<std::unique_ptr<int>(std::unique_ptr<int>)> pass = [](std::unique_ptr<int> number) { return number; };
    CHECK(*pass(std::make_unique<int>(3)) == 3);

    int changed = 0;
    Function<void(int&)> change = [](int& number) { number = 9; };
    change(changed);
    CHECK(changed == 9);
}

TEST_CASE("an empty Function throws when called") {
    Function<void()> none;
    CHECK_THROWS_AS(none(), std::bad_function_call);
    int (*null)(int) = nullptr;
    Function<int(int)> fromNull = null;
    CHECK_FALSE(static_cast<bool>(fromNull));
    CHECK_THROWS_AS(fromNull(1), std::bad_function_call);
}

TEST_CASE("Function destroys its callable once: by reset, by assignment, by its own destruction") {
    auto token = std::make_shared<int>(0);
    {
        Function<void()> function = Tracked{token};
        CHECK(token.use_count() == 2);
        function.reset();
        CHECK(token.use_count() == 1);
        CHECK_FALSE(static_cast<bool>(function));
        function = Tracked{token};
        function = nullptr;
        CHECK(token.use_count() == 1);
        function = Tracked{token};
        function = [] {};
        CHECK(token.use_count() == 1);
        function = Tracked{token};
    }
    CHECK(token.use_count() == 1);
}

TEST_CASE("CallableRef is null by default and calls what it refers to") {
    CHECK_FALSE(static_cast<bool>(Options().hook));
    CHECK_THROWS_AS(Options().hook(1), std::bad_function_call);

    int calls = 0;
    auto hook = [&calls](int number) {
        ++calls;
        return number + 1;
    };
    const Options options{.hook = hook};
    CHECK(options.hook(1) == 2);
    CHECK(calls == 1);

    const Options named{.hook = twice};
    CHECK(named.hook(4) == 8);
    int (*null)(int) = nullptr;
    CHECK_FALSE(static_cast<bool>(Options{.hook = null}.hook));
}

TEST_CASE("CallableRef gives a copy that outlives what it refers to") {
    Function<int(int)> kept;
    {
        std::string text = "abc";
        auto hook = [text](int number) { return number + static_cast<int>(text.size()); };
        kept = CallableRef<int(int)>(hook).toFunction();
        const auto constant = hook;
        CHECK(CallableRef<int(int)>(constant).toFunction()(0) == 3);
    }
    CHECK(kept(1) == 4);
    CHECK(CallableRef<int(int)>(twice).toFunction()(4) == 8);
    CHECK_FALSE(static_cast<bool>(CallableRef<int(int)>().toFunction()));
}
