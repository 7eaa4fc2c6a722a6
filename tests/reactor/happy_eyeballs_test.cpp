#include <reactor/core/happy_eyeballs.hpp>
#include <reactor/errors.hpp>
#include <reactor/testing/clock.hpp>

#include "support/scripted_attempts.hpp"
#include <doctest/doctest.h>
#include <spdlog/fmt/fmt.h>

#include <cerrno>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

using namespace torsion;
using namespace std::chrono_literals;
using core::HappyEyeballs;
using core::interleaveFamilies;
using test::ScriptedAttempts;

namespace {

const Address kV4 = Address::ipv4("192.0.2.1", 80);
const Address kOtherV4 = Address::ipv4("192.0.2.2", 80);
const Address kV6 = Address::ipv6("2001:db8::1", 80);
const Address kOtherV6 = Address::ipv6("2001:db8::2", 80);

std::vector<std::string> names(const std::vector<Address>& addresses) {
    std::vector<std::string> result;
    for (const Address& each : addresses)
        result.push_back(each.host());
    return result;
}

/// Runs one race on a clock that the test moves.
class Race final : public core::HappyEyeballsHost {
public:
    explicit Race(std::vector<Address> addresses, std::string destination = "example.org:80")
        : race_(std::make_unique<HappyEyeballs>(*this, std::move(addresses), 250ms, std::move(destination))) {
        race_->start();
    }

    std::unique_ptr<core::Connecting> beginAttempt(const Address& address, core::ConnectEvents& events) override {
        return attempts.begin(address, Address::none(), events);
    }
    DelayedCall callAfter(Duration delay, Function<void()> f) override { return clock.callLater(delay, std::move(f)); }
    void onRaceWon(core::ChannelPtr, const Address& address) override {
        winner = address;
        race_.reset();
    }
    void onRaceLost(const Failure& reason) override {
        failure = reason;
        race_.reset();
    }

    void abandon() { race_.reset(); }

    testing::Clock clock;
    ScriptedAttempts attempts;
    Address winner;
    Failure failure;

private:
    std::unique_ptr<HappyEyeballs> race_;
};

} // namespace

TEST_CASE("RFC 8305, 4: families take turns, and the first address's family leads") {
    CHECK(names(interleaveFamilies({kV6, kOtherV6, kV4, kOtherV4})) ==
          std::vector<std::string>{"2001:db8::1", "192.0.2.1", "2001:db8::2", "192.0.2.2"});
    CHECK(names(interleaveFamilies({kV4, kV6, kOtherV6})) ==
          std::vector<std::string>{"192.0.2.1", "2001:db8::1", "2001:db8::2"});
    CHECK(interleaveFamilies({}).empty());
}

TEST_CASE("an address that a resolver gives twice is tried once") {
    CHECK(interleaveFamilies({kV4, kV4, kV6, kV4}) == std::vector<Address>{kV4, kV6});
}

TEST_CASE("RFC 8305, 5: the next attempt begins beside the pending one after the delay, not before") {
    Race race({kV6, kV4});
    CHECK(race.attempts.size() == 1);
    race.clock.advance(249ms);
    CHECK(race.attempts.size() == 1);
    race.clock.advance(1ms);
    REQUIRE(race.attempts.size() == 2);
    CHECK(race.attempts[0].pending());
    CHECK(race.attempts[1].address == kV4);
}

TEST_CASE("RFC 8305, 5: a failure begins the next attempt at once, and its delay counts from there") {
    Race race({kV6, kV4, kOtherV6});
    race.clock.advance(200ms);
    race.attempts[0].fail(getConnectError(ENETUNREACH));
    REQUIRE(race.attempts.size() == 2);
    race.clock.advance(249ms);
    CHECK(race.attempts.size() == 2);
    race.clock.advance(1ms);
    CHECK(race.attempts.size() == 3);
}

TEST_CASE("RFC 8305, 5: the first attempt to succeed wins and the others are abandoned") {
    Race race({kV6, kV4, kOtherV6});
    race.clock.advance(250ms);
    race.attempts[1].succeed();
    CHECK(race.winner == kV4);
    CHECK_FALSE(race.attempts[0].pending());
    CHECK(race.clock.getDelayedCalls().empty());
    race.clock.advance(10s);
    CHECK(race.attempts.size() == 2);
}

TEST_CASE("an earlier attempt may still win after later ones began") {
    Race race({kV6, kV4});
    race.clock.advance(250ms);
    race.attempts[1].fail(getConnectError(ECONNREFUSED));
    race.attempts[0].succeed();
    CHECK(race.winner == kV6);
    CHECK_FALSE(race.failure);
}

TEST_CASE("no attempt is waited for any more when all have failed") {
    Race race({kV6, kV4});
    race.clock.advance(250ms);
    race.attempts[1].fail(getConnectError(ECONNREFUSED));
    CHECK_FALSE(race.failure);
    race.attempts[0].fail(getConnectError(ENETUNREACH));
    CHECK(race.failure.check<NoRouteError>());
    CHECK(race.clock.getDelayedCalls().empty());
}

TEST_CASE("the error names every attempt with its address and reason, and is the last one's") {
    Race race({kV6, kV4});
    race.attempts[0].fail(getConnectError(ENETUNREACH));
    race.attempts[1].fail(getConnectError(ECONNREFUSED));
    CHECK(race.failure.check<ConnectionRefusedError>());
    CHECK(race.failure.code() == ECONNREFUSED);
    CHECK(race.failure.getErrorMessage() ==
          fmt::format("connecting to example.org:80: [2001:db8::1]:80: {}; 192.0.2.1:80: {}",
                      getConnectError(ENETUNREACH).getErrorMessage(), getConnectError(ECONNREFUSED).getErrorMessage()));
}

TEST_CASE("the error of a numeric destination names the address once") {
    Race race({kV4}, "192.0.2.1:80");
    race.attempts[0].fail(getConnectError(ECONNREFUSED));
    CHECK(race.failure.getErrorMessage() ==
          "connecting to 192.0.2.1:80: " + getConnectError(ECONNREFUSED).getErrorMessage());
}

TEST_CASE("S-104: a failed bind stays a ConnectBindError") {
    Race race({kV6, kV4});
    race.attempts[0].fail(getConnectError(ENETUNREACH));
    race.attempts[1].fail(Failure::of<ConnectBindError>("cannot bind 192.0.2.9:1", EADDRINUSE));
    CHECK(race.failure.check<ConnectBindError>());
    CHECK(race.failure.code() == EADDRINUSE);
    CHECK(race.failure.getErrorMessage().ends_with("192.0.2.1:80: cannot bind 192.0.2.9:1"));
}

TEST_CASE("what a hook threw is the failure where it was alone, and else its cause") {
    const Failure thrown = Failure::fromException(std::make_exception_ptr(std::out_of_range("the hook")));
    Race single({kV4});
    single.attempts[0].fail(thrown);
    CHECK(single.failure.check<std::out_of_range>());

    Race several({kV6, kV4});
    several.attempts[0].fail(getConnectError(ENETUNREACH));
    several.attempts[1].fail(thrown);
    CHECK(several.failure.check<ConnectError>());
    CHECK(several.failure.cause().check<std::out_of_range>());
}

TEST_CASE("a race that is destroyed abandons its attempts and tells nothing") {
    Race race({kV6, kV4, kOtherV4});
    race.clock.advance(250ms);
    race.abandon();
    CHECK_FALSE(race.attempts[0].pending());
    CHECK_FALSE(race.attempts[1].pending());
    CHECK(race.clock.getDelayedCalls().empty());
    CHECK_FALSE(race.failure);
    CHECK(race.winner.isNone());
}
