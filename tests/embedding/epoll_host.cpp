#include <reactor/embedding/epoll.hpp>

#include "embedding/host.hpp"
#include "embedding/own_events.hpp"
#include "embedding/suite.hpp"
#include "support/hooked_producer.hpp"
#include "support/raw_socket.hpp"

#include <doctest/doctest.h>

#include <unistd.h>

#include <array>
#include <memory>
#include <optional>
#include <span>

using namespace std::chrono_literals;

namespace torsion::test {

namespace {

/// A program's own loop around epoll_wait.
class EpollHost final : public Host {
public:
    EpollHost() { REQUIRE(epoll_ >= 0); }
    ~EpollHost() override {
        inside_.reset();
        ::close(epoll_);
    }

    void attach(Embedding embedding) override { inside_.emplace(std::move(embedding), epoll_); }
    void detach() override { inside_.reset(); }
    Dispatched dispatch() override { return inside_->dispatch(); }

    bool runUntil(CallableRef<bool()> condition, Milliseconds limit) override {
        const auto end = OwnEvents::Clock::now() + limit;
        while (!condition()) {
            if (OwnEvents::Clock::now() > end)
                return false;
            turn(events_.wait(end));
        }
        return true;
    }

    void after(Milliseconds delay, std::function<void()> f) override { events_.after(delay, std::move(f)); }
    void watch(int descriptor, std::function<void()> f) override {
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.fd = descriptor;
        ::epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event); // or it is there already
        events_.watch(descriptor, std::move(f));
    }

private:
    void turn(Milliseconds wait) {
        std::array<epoll_event, 8> events;
        const int limit = inside_ ? inside_->timeout(wait) : static_cast<int>(wait.count());
        const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), limit);
        std::vector<pollfd> own;
        for (const epoll_event& event : std::span(events).first(static_cast<std::size_t>(std::max(count, 0)))) {
            if (!inside_ || !inside_->takes(event))
                own.push_back({event.data.fd, 0, POLLIN});
        }
        if (inside_)
            inside_->serve();
        events_.callDue(own);
    }

    OwnEvents events_;
    int epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    std::optional<EpollAdapter> inside_;
};

const RegisterHost registered{{"epoll", &makeHost<EpollHost>, {}}};
const RegisterHost single{{"epoll, single descriptor", &makeHost<EpollHost>, {.singleDescriptor = true}}};

/// A reactor in an epoll descriptor, by hand.
struct ByHand {
    ~ByHand() { ::close(epoll); }
    int wait(int limit) { return ::epoll_wait(epoll, &event, 1, limit); }

    UvReactor reactor;
    Embedding embedding = reactor.embed();
    int epoll = ::epoll_create1(EPOLL_CLOEXEC);
    epoll_event event{};
};

} // namespace

TEST_CASE("EpollAdapter knows its own events, also by what the program has them bear") {
    ByHand hand;
    epoll_data_t data{};
    data.u64 = 42;
    EpollAdapter inside(hand.embedding, hand.epoll, data);
    bool called = false;
    hand.reactor.callFromThread([&] { called = true; });
    REQUIRE(hand.wait(10'000) == 1);
    CHECK((hand.event.data.u64 == 42)); // a packed field
    epoll_event other{};
    other.events = EPOLLIN;
    other.data.u64 = 43;
    CHECK_FALSE(inside.takes(other));
    CHECK(inside.takes(hand.event));
    CHECK(inside.timeout() == 0); // it has come
    inside.serve();
    CHECK(called);
}

TEST_CASE("EpollAdapter dispatches when there is something to do, and not else") {
    ByHand hand;
    EpollAdapter inside(hand.embedding, hand.epoll);
    for (int i = 0; i < 10 && (inside.timeout() == 0 || hand.wait(0) > 0); ++i)
        inside.dispatch();
    const auto before = hand.embedding.dispatches();
    CHECK(inside.timeout() == -1);
    CHECK(inside.timeout(5ms) == 5);
    inside.serve();
    CHECK(hand.embedding.dispatches() == before);
    bool called = false;
    DelayedCall call = hand.reactor.callLater(1h, [&] { called = true; });
    CHECK(inside.timeout() > 3'000'000);
    CHECK(inside.timeout(5ms) == 5);
    inside.serve();
    CHECK(hand.embedding.dispatches() == before);
    call.reset(0ms);
    CHECK(inside.timeout(5ms) == 0);
    inside.serve();
    CHECK(called);
}

TEST_CASE("EpollAdapter throws when the descriptor is no epoll descriptor, and the reactor can have another host") {
    ByHand hand;
    EventPipe pipe;
    CHECK_THROWS_AS(EpollAdapter(hand.embedding, pipe.descriptor()), std::system_error);
    EpollAdapter inside(hand.embedding, hand.epoll);
    CHECK_THROWS_AS(EpollAdapter(hand.embedding, hand.epoll), std::logic_error);
    bool called = false;
    hand.reactor.callLater(0ms, [&] { called = true; });
    inside.serve();
    CHECK(called);
}

TEST_CASE("EpollAdapter may be destroyed by a producer that hears of what serve() sends inside of a callback") {
    ByHand hand;
    std::optional<EpollAdapter> inside(std::in_place, hand.embedding, hand.epoll);
    RawSocket peer;
    HookedProducer producer;
    producer.pause = [&] { inside.reset(); };
    const auto server = std::make_shared<HookedProtocol>(ProtocolHooks{.data = [&](HookedProtocol& self) {
        self.transport->registerProducer(producer);
        self.transport->pauseProducing(); // the reset is not read
        peer.reset();
        self.transport->write("fails");
        inside->serve();
        CHECK_FALSE(inside.has_value());
    }});
    const auto port = hand.reactor.listenTCP(0, HookedFactory::of(server), {.interface = "127.0.0.1"});
    peer = RawSocket::connectTo(port->getHost().port());
    peer.send("now");
    for (int i = 0; i < 1000 && inside; ++i) {
        hand.wait(inside->timeout(10ms));
        inside->dispatch();
    }
    CHECK(server->record->received == "now");
    CHECK_FALSE(inside.has_value());
}

TEST_CASE("an adapter that comes after the program's own onChange is refused, and that one stays") {
    ByHand hand;
    int changes = 0;
    hand.embedding.onChange([&] { ++changes; });
    CHECK_THROWS_AS(EpollAdapter(hand.embedding, hand.epoll), std::logic_error);
    hand.embedding.timeout();
    hand.reactor.callLater(0ms, [] {});
    CHECK(changes == 1);
    hand.embedding.onChange(nullptr);
    EpollAdapter inside(hand.embedding, hand.epoll);
}

} // namespace torsion::test
