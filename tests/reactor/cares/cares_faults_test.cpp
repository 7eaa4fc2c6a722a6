// What a look-up meets that is not as it should be: callbacks that throw, servers that refuse, too many questions.

#include "cares_scene.hpp"

#include "support/host_loop.hpp"
#include "support/log_capture.hpp"

#include <reactor/libuv/loop_context.hpp>

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace torsion;
using namespace torsion::test;
using namespace torsion::test::cares;
using namespace std::chrono_literals;

namespace {

/// A name server's port where nobody is at first; then one who knows no name.
class LateServer {
public:
    LateServer() : fd_(open()) {
        socklen_t size = sizeof address_;
        REQUIRE(::getsockname(fd_, reinterpret_cast<sockaddr*>(&address_), &size) == 0);
        ::close(fd_);
    }
    LateServer(const LateServer&) = delete;
    LateServer& operator=(const LateServer&) = delete;
    ~LateServer() { ::close(fd_); }

    std::string name() const { return "127.0.0.1:" + std::to_string(ntohs(address_.sin_port)); }
    void come() { fd_ = open(); }

    void serve() {
        std::array<char, 512> message;
        sockaddr_in peer{};
        socklen_t size = sizeof peer;
        auto* const from = reinterpret_cast<sockaddr*>(&peer);
        for (ssize_t count = 0; (count = ::recvfrom(fd_, message.data(), message.size(), 0, from, &size)) > 3;) {
            message[2] = static_cast<char>(message[2] | 0x80); // a response
            message[3] = 3;                                    // no such name
            ::sendto(fd_, message.data(), static_cast<std::size_t>(count), 0, from, size);
        }
    }

private:
    int open() {
        const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        REQUIRE(::bind(fd, reinterpret_cast<const sockaddr*>(&address_), sizeof address_) == 0);
        return fd;
    }

    sockaddr_in address_{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
    int fd_;
};

} // namespace

TEST_CASE("what an answer's callback throws is logged, whether it came by a socket, by time or at once") {
    for (const Dispatch dispatch : {Dispatch::Direct, Dispatch::TwoPhase}) {
        for (const std::string& name : {std::string("www.example.org"), std::string("silent.example.org"),
                                        std::string("www.example.org\0.evil", 21)}) {
            CAPTURE(name);
            const LogCapture logged;
            Scene scene(name.starts_with("silent") ? 1ms : 10s, {.dispatch = dispatch});
            scene.server.setSilent("silent.example.org");
            const Lookup lookup =
                scene.resolver->resolve(name, 0, AddressFamily::IPv4, [](std::vector<Address>, const Failure&) {
                    throw std::runtime_error("not my answer");
                });
            CHECK(runUntil(*scene.reactor, [&] {
                scene.server.serve();
                return logged.count() != 0;
            }));
            CHECK(logged.contains("not my answer"));
            CHECK(scene.reactor->context().inside == 0);
        }
    }
}

TEST_CASE("one callback that throws does not keep the others from their answers") {
    const LogCapture logged;
    HostLoop loop;
    UvReactor reactor(loop.get());
    DnsServer server;
    const std::string servers = server.name();
    CaresResolver resolver(reactor, asking(servers));
    const std::string name("www.example.org\0.evil", 21); // both are answered at once
    int answers = 0;
    const Lookup first = resolver.resolve(name, 0, AddressFamily::Any, [](std::vector<Address>, const Failure&) {
        throw std::runtime_error("not my answer");
    });
    const Lookup second =
        resolver.resolve(name, 0, AddressFamily::Any, [&](std::vector<Address>, const Failure&) { ++answers; });
    loop.run(); // until nobody waits
    CHECK(answers == 1);
    CHECK(logged.count("not my answer") == 1);
}

TEST_CASE("abandoned look-ups count as long as c-ares holds them") {
    Scene scene;
    scene.server.setSilent("silent.example.org");
    const NameQuery silent{.name = "silent.example.org", .family = AddressFamily::IPv4};
    Lookup awaited = scene.lookUp(silent);
    for (std::size_t i = 1; i < CaresResolver::kMaxUnderWay; ++i)
        scene.lookUp(silent).reset();
    CHECK(scene.answerTo(silent).failure.getErrorMessage() ==
          "looking up silent.example.org: 1024 look-ups are under way");
    awaited.reset(); // nobody waits: they end
    CHECK_FALSE(scene.answerTo({.name = "www.example.org"}).failure);
}

TEST_CASE("a look-up that comes later moves no time-out of those before it") {
    Scene scene(20ms);
    scene.server.setSilent("silent.example.org");
    const NameQuery silent{.name = "silent.example.org", .family = AddressFamily::IPv4};
    const Lookup first = scene.lookUp(silent);
    const std::optional<TimePoint> due = scene.reactor->context().turn.nextEvent();
    REQUIRE(due);
    const Lookup second = scene.lookUp(silent);
    CHECK(scene.reactor->context().turn.nextEvent() == due);
    const Lookup third = scene.lookUp({.name = std::string("x\0y", 3)}); // is known at once
    CHECK(scene.reactor->context().turn.nextEvent() < due);
    CHECK(scene.runUntilAnswered(3));
}

TEST_CASE("time-outs are no delayed calls of the program's") {
    Scene scene(1ms);
    scene.server.setSilent("silent.example.org");
    const Lookup lookup = scene.lookUp({.name = "silent.example.org", .family = AddressFamily::IPv4});
    const Lookup atOnce = scene.lookUp({.name = std::string("x\0y", 3)});
    CHECK(scene.reactor->getDelayedCalls().empty());
    CHECK(scene.runUntilAnswered(1));
    CHECK(scene.reactor->getDelayedCalls().empty());
    CHECK(scene.runUntilAnswered(2));
}

TEST_CASE("a server that refused is heard when it answers, also where a question took the error") {
    LateServer late;
    DnsServer silent; // c-ares goes on with it
    const std::string servers = late.name() + "," + silent.name();
    Scene scene; // whose server's answer is what comes first in the turn
    CaresResolver resolver(*scene.reactor, asking(servers));
    std::vector<std::string> failures;
    const auto ask = [&](const std::string& name) {
        return resolver.resolve(name, 0, AddressFamily::IPv4, [&](std::vector<Address>, const Failure& failure) {
            failures.push_back(failure.getErrorMessage());
        });
    };
    Lookup second;
    const Lookup other =
        scene.resolver->resolve("www.example.org", 0, AddressFamily::IPv4,
                                [&](std::vector<Address>, const Failure&) { second = ask("second.example.org"); });
    scene.server.serve();
    const Lookup first = ask("first.example.org"); // is refused
    scene.reactor->iterate();
    CHECK(second);
    late.come();
    const Lookup third = ask("third.example.org");
    CHECK(runUntil(*scene.reactor, [&] {
        late.serve();
        return !failures.empty();
    }));
    CHECK(failures == Strings{"looking up third.example.org: Domain name not found"});
}

TEST_CASE("what the hosts file knows is answered without a time to live: c-ares has none of it") {
    UvReactor reactor;
    CaresResolver resolver(reactor, {.useSearchDomains = false});
    std::optional<NameEntry> answer;
    const Lookup lookup = resolver.lookUp({.name = "localhost", .family = AddressFamily::IPv4},
                                          [&](NameEntry entry, const Failure&) { answer = std::move(entry); });
    CHECK(runUntil(reactor, [&] { return answer.has_value(); }));
    CHECK(hostsOf(*answer) == Strings{"127.0.0.1:0"});
    CHECK(answer->timeToLive == std::nullopt);
}
