// The backends of torsion_tests.

#include "conformance/driver.hpp"

#include <reactor/embedding/poll.hpp>
#include <reactor/libuv/uv_reactor.hpp>
#include <reactor/testing/memory_reactor.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace torsion::test {

namespace {

using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;

// How long a case may wait for what must happen, in the reactor's time and in ours.
constexpr auto kPatience = 10s;

/// Calls `turn` until `condition()` holds. @returns false when our patience ends before.
bool turnUntil(CallableRef<bool()> condition, CallableRef<void()> turn) {
    const auto end = SteadyClock::now() + kPatience;
    while (!condition()) {
        if (SteadyClock::now() > end)
            return false;
        turn();
    }
    return true;
}

template <Dispatch kDispatch, bool kIPv6>
class UvDriver final : public Driver {
public:
    Reactor& reactor() override { return *reactor_; }

    bool reaches(CallableRef<bool()> condition) override {
        return turnUntil(condition, [this] { reactor_->iterate(100ms); });
    }

    void destroyReactor() override { reactor_.reset(); }
    const char* loopback() const noexcept override { return kIPv6 ? "::1" : "127.0.0.1"; }
    bool isReal() const noexcept override { return true; }

    std::string name() const override {
        return std::string("UvReactor, ") + (kIPv6 ? "IPv6" : "IPv4") +
               (kDispatch == Dispatch::Direct ? ", direct" : ", two-phase");
    }

private:
    std::unique_ptr<UvReactor> reactor_ = std::make_unique<UvReactor>(ReactorOptions{.dispatch = kDispatch});
};

/// A host that waits with poll, and has nothing else to do.
template <bool kSingleDescriptor, bool kIPv6>
class HostedDriver final : public Driver {
public:
    Reactor& reactor() override { return *reactor_; }

    bool reaches(CallableRef<bool()> condition) override {
        return turnUntil(condition, [this] { host_.turn({}, 100ms); });
    }

    void turn() override { host_.embedding().dispatch(); }

    void run() override {
        bool stopped = false;
        reactor_->onStopped([&] { stopped = true; });
        reactor_->start();
        while (!stopped)
            host_.turn();
    }

    void destroyReactor() override { reactor_.reset(); }
    const char* loopback() const noexcept override { return kIPv6 ? "::1" : "127.0.0.1"; }
    bool isReal() const noexcept override { return true; }

    std::string name() const override {
        return std::string("UvReactor, ") + (kIPv6 ? "IPv6" : "IPv4") + ", embedded" +
               (kSingleDescriptor ? ", single descriptor" : "");
    }

private:
    std::unique_ptr<UvReactor> reactor_ = std::make_unique<UvReactor>();
    PollHost host_{reactor_->embed({.singleDescriptor = kSingleDescriptor})};
};

template <bool kIPv6>
class MemoryDriver final : public Driver {
public:
    Reactor& reactor() override { return *reactor_; }
    bool reaches(CallableRef<bool()> condition) override { return reactor_->runUntil(condition, kPatience); }
    void destroyReactor() override { reactor_.reset(); }
    const char* loopback() const noexcept override { return kIPv6 ? "::1" : "127.0.0.1"; }
    bool isReal() const noexcept override { return false; }
    std::string name() const override { return std::string("MemoryReactor, ") + (kIPv6 ? "IPv6" : "IPv4"); }

private:
    std::unique_ptr<testing::MemoryReactor> reactor_ = std::make_unique<testing::MemoryReactor>();
};

template <class D>
std::unique_ptr<Driver> make() {
    return std::make_unique<D>();
}

} // namespace

std::vector<Backend> backends() {
    return {
        Backend{"UvReactor, IPv4, direct", true, true, &make<UvDriver<Dispatch::Direct, false>>},
        Backend{"UvReactor, IPv6, direct", true, true, &make<UvDriver<Dispatch::Direct, true>>},
        Backend{"UvReactor, IPv4, two-phase", true, true, &make<UvDriver<Dispatch::TwoPhase, false>>},
        Backend{"UvReactor, IPv6, two-phase", true, true, &make<UvDriver<Dispatch::TwoPhase, true>>},
        Backend{"UvReactor, IPv4, embedded", true, false, &make<HostedDriver<false, false>>},
        Backend{"UvReactor, IPv6, embedded, single descriptor", true, false, &make<HostedDriver<true, true>>},
        Backend{"UvReactor, IPv4, embedded, single descriptor", true, false, &make<HostedDriver<true, false>>},
        Backend{"MemoryReactor, IPv4", false, true, &make<MemoryDriver<false>>},
        Backend{"MemoryReactor, IPv6", false, true, &make<MemoryDriver<true>>},
    };
}

} // namespace torsion::test
