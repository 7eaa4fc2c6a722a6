#pragma once

#include "support/hosted.hpp"

#include <reactor/libuv/input_reader.hpp>
#include <reactor/producer.hpp>

#include <doctest/doctest.h>

#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

// What the mutators*_test.cpp call the functions of their lists on, and how they see what the host hears of them.

namespace torsion::test {

/// What the host hears of a function.
enum class Told {
    Work,       ///< there is something to do now
    Deadline,   ///< the time it may wait has changed, not to nothing
    Descriptor, ///< nothing: the descriptor is readable
    Nothing     ///< nothing: all is done when the function returns, or the descriptor will tell
};

/// A host with a connection, and whatever the functions are called on.
struct Bench {
    explicit Bench(const EmbedOptions& options) : hosted(options), pair(hosted) {}
    ~Bench() { pair.client->transport->abortConnection(); }
    Bench(const Bench&) = delete;
    Bench& operator=(const Bench&) = delete;

    Transport& transport() { return *pair.client->transport; }
    UvReactor& reactor() { return hosted.reactor; }

    struct Push final : PushProducer {
        void pauseProducing() override {}
        void resumeProducing() override {}
        void stopProducing() override {}
    } push;

    struct Input {
        Input() { REQUIRE(::pipe(ends.data()) == 0); }
        Input(const Input&) = delete;
        Input& operator=(const Input&) = delete;
        ~Input() {
            ::close(ends[0]);
            ::close(ends[1]);
        }
        std::array<int, 2> ends{};
    } input;

    struct NoInput final : InputEvents {
        void inputReceived(std::string_view) override {}
        void inputEnded(const Failure&) override {}
    } events;

    Hosted hosted;
    HostedPair pair;
    std::shared_ptr<void> kept; ///< objects of the case
    PendingOperation pending;
    TriggerId trigger;
};

using Act = std::function<void()>;

struct Mutator {
    const char* name;
    Told told;
    std::function<Act(Bench&)> arrange; ///< prepares, and gives the call
};

template <class T, class... Args>
T& keep(Bench& bench, Args&&... args) {
    auto object = std::make_shared<T>(std::forward<Args>(args)...);
    bench.kept = object;
    return *object;
}

/// A member function without arguments of the transport.
inline std::function<Act(Bench&)> onTransport(void (Transport::*function)()) {
    return [function](Bench& b) { return [&b, function] { (b.transport().*function)(); }; };
}

inline constexpr auto kNothing = [] {};

/// How long until the first timer of this process fires that is a descriptor; none when none is set.
inline std::optional<Duration> untilTimerDescriptor() {
    std::optional<Duration> first;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
        std::ifstream info("/proc/self/fdinfo/" + entry.path().filename().string());
        for (std::string line; std::getline(info, line);) {
            long long seconds = 0;
            long long nanoseconds = 0;
            if (std::sscanf(line.c_str(), "it_value: (%lld, %lld)", &seconds, &nanoseconds) != 2)
                continue;
            const Duration left = std::chrono::seconds(seconds) + std::chrono::nanoseconds(nanoseconds);
            if (left > Duration::zero() && (!first || left < *first))
                first = left;
        }
    }
    return first;
}

/// Whether a host that watches the descriptor alone is woken when the next call is due.
inline bool isWokenInTime(Hosted& hosted) {
    std::optional<TimePoint> due;
    for (const DelayedCall& call : hosted.reactor.getDelayedCalls())
        due = due ? std::min(*due, call.getTime()) : call.getTime();
    if (!due || hosted.isReadable())
        return true;
    const Duration left = *due - hosted.reactor.freshNow(); // earlier than the timer is looked at
    const std::optional<Duration> timer = untilTimerDescriptor();
    return timer && *timer <= left;
}

/// With a host that is told of changes.
inline void checkThatOnChangeIsTold(const Mutator& mutator) {
    using namespace std::chrono_literals;
    CAPTURE(std::string(mutator.name));
    Bench bench({});
    const Act act = mutator.arrange(bench);
    bench.hosted.settle();
    int changes = 0;
    bench.hosted.embedding().onChange([&] { ++changes; });
    REQUIRE_FALSE(bench.hosted.wakes());
    act();
    CHECK(changes == (mutator.told == Told::Work || mutator.told == Told::Deadline ? 1 : 0));
    if (mutator.told != Told::Work) // where sockets may be ready at once
        CHECK(bench.hosted.isReadable() == (mutator.told == Told::Descriptor));
    const bool busy = bench.hosted.embedding().timeout() == 0ms;
    if (mutator.told == Told::Work)
        CHECK(busy);
    if (mutator.told == Told::Nothing)
        CHECK_FALSE(busy);
    bench.hosted.embedding().onChange(nullptr);
    CHECK(bench.hosted.settle() < 1000);
}

/// With a host that has the descriptor alone.
inline void checkThatDescriptorTells(const Mutator& mutator) {
    CAPTURE(std::string(mutator.name));
    Bench bench({.singleDescriptor = true});
    const Act act = mutator.arrange(bench);
    bench.hosted.settle();
    REQUIRE_FALSE(bench.hosted.isReadable());
    act();
    const bool expected = mutator.told == Told::Work || mutator.told == Told::Descriptor;
    if (expected)
        CHECK(bench.hosted.isReadable());
    else if (mutator.told == Told::Nothing)
        CHECK_FALSE(bench.hosted.isReadable());
    CHECK(isWokenInTime(bench.hosted));
    CHECK(bench.hosted.settle() < 1000);
}

} // namespace torsion::test
