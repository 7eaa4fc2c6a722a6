// The place of creation that a Deferred has is the program's, not one of the library's own lines.

#include <reactor/connect.hpp>
#include <reactor/cooperator.hpp>
#include <reactor/defer_later.hpp>
#include <reactor/deferred.hpp>
#include <reactor/deferred_event.hpp>
#include <reactor/deferred_list.hpp>
#include <reactor/deferred_lock.hpp>
#include <reactor/deferred_queue.hpp>
#include <reactor/errors.hpp>
#include <reactor/factory.hpp>
#include <reactor/listening_port.hpp>
#include <reactor/looping_call.hpp>
#include <reactor/stream.hpp>
#include <reactor/task_scope.hpp>
#include <reactor/testing/memory_reactor.hpp>
#include <reactor/testing/string_transport.hpp>
#include <reactor/threads.hpp>
#include <reactor/transport.hpp>

#include "support/log_capture.hpp"
#include <doctest/doctest.h>

#include <chrono>
#include <future>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

using namespace torsion;
using namespace std::chrono_literals;

namespace {

int failing() {
    throw NoProtocol();
}

template <class T>
bool isIn(Deferred<T> deferred, int line) {
    const std::source_location place = deferred.place();
    std::move(deferred).addErrback([](const Failure&) {}).detach();
    CHECK(std::string_view(place.file_name()).ends_with("places_test.cpp"));
    return place.line() == static_cast<std::uint_least32_t>(line);
}

} // namespace

TEST_CASE("calling a function has the place of the call") {
    CHECK(isIn(maybeDeferred(failing), __LINE__));
    CHECK(isIn(execute(failing), __LINE__));
    CHECK(isIn(succeed(1), __LINE__));
    CHECK(isIn(fail(Failure::of<UserError>()), __LINE__));
    DeferredSemaphore semaphore(1);
    CHECK(isIn(semaphore.run(failing), __LINE__));
    DeferredLock lock;
    CHECK(isIn(lock.run(failing), __LINE__));
}

TEST_CASE("what a semaphore's function fails with has the place of run(), also after waiting") {
    const test::LogCapture logged;
    DeferredLock lock;
    lock.acquire().detach();
    const int line = __LINE__ + 1;
    lock.run(failing).detach();
    lock.release();
    CHECK(logged.count() == 1);
    CHECK(logged.contains("places_test.cpp:" + std::to_string(line) + ")"));
}

TEST_CASE("groups have the place of the call, and those that take any number that of their first input") {
    const auto inputs = [] {
        std::vector<Deferred<int>> all;
        all.push_back(execute(failing));
        return all;
    };
    CHECK(isIn(deferredList(inputs()), __LINE__));
    CHECK(isIn(deferredList(inputs(), FireOnOneCallback{}), __LINE__));
    CHECK(isIn(gatherResults(inputs()), __LINE__));
    CHECK(isIn(race(inputs()), __LINE__));
    CHECK(isIn(gatherResults(execute(failing), succeed(1)), __LINE__));
    CHECK(isIn(race(execute(failing), execute(failing)), __LINE__));
    CHECK(isIn(race(execute(failing), fail(Failure::of<UserError>())), __LINE__));
}

TEST_CASE("waiting for an event, a queue or a lock has the place of the call") {
    DeferredEvent event;
    CHECK(isIn(event.wait(), __LINE__));
    DeferredQueue<int> queue({.backlog = 1});
    CHECK(isIn(queue.get(), __LINE__));
    CHECK(isIn(queue.get(), __LINE__));
    DeferredLock lock;
    CHECK(isIn(lock.acquire(), __LINE__));
    CHECK(isIn(lock.acquire(), __LINE__));
    const SharedDeferred<int> shared = share(execute(failing));
    CHECK(isIn(shared.get(), __LINE__));
    TaskScope scope;
    CHECK(isIn(scope.close(), __LINE__));
}

TEST_CASE("waiting for time has the place of the call") {
    testing::MemoryReactor reactor;
    CHECK(isIn(reactor.sleep(1s), __LINE__));
    CHECK(isIn(deferLater(reactor, 1s), __LINE__));
    CHECK(isIn(deferLater(reactor, 1s, failing), __LINE__));
    LoopingCall loop(reactor, [] {});
    CHECK(isIn(loop.start(1s), __LINE__));
    loop.stop();
    Cooperator cooperator(reactor);
    CHECK(isIn(cooperator.coiterate([] { return Step::done(); }), __LINE__));
    CooperativeTask task = cooperator.cooperate([] { return Step::done(); });
    CHECK(isIn(task.whenDone(), __LINE__));
    reactor.settle();
    CHECK(isIn(task.whenDone(), __LINE__));
}

TEST_CASE("listening, connecting and draining have the place of the call") {
    testing::MemoryReactor reactor;
    const auto factory = Factory::forProtocol<Protocol>();
    factory->noisy = false;
    CHECK(isIn(listenFactory(reactor, 7007, factory), __LINE__));
    CHECK(isIn(listenFactory(reactor, 7007, factory), __LINE__)); // it is taken
    CHECK(isIn(connectFactory(reactor, "127.0.0.1", 7007, factory), __LINE__));
    CHECK(isIn(connectProtocol(reactor, "127.0.0.1", 7007, std::make_shared<Protocol>()), __LINE__));
    const std::shared_ptr<ListeningPort> port = reactor.listenTCP(0, factory);
    CHECK(isIn(port->stopListening(), __LINE__));
    reactor.settle();
    CHECK(isIn(port->stopListening(), __LINE__));
    CHECK(isIn(Transport::null().drained(), __LINE__));
    testing::StringTransport transport;
    CHECK(isIn(transport.drained(), __LINE__));
}

TEST_CASE("what a stream is asked for has the place of the call, also once the connection is lost") {
    testing::MemoryReactor reactor;
    const auto factory = Factory::forProtocol<Protocol>();
    factory->noisy = false;
    const std::shared_ptr<ListeningPort> port = reactor.listenTCP(0, factory);
    std::optional<Stream> stream;
    Deferred<Stream> connecting = connectStream(reactor, "127.0.0.1", port->getHost().port());
    CHECK(connecting.place().line() == __LINE__ - 1);
    std::move(connecting).addCallback([&](Stream made) { stream.emplace(std::move(made)); }).detach();
    reactor.settle();
    REQUIRE(stream);
    CHECK(isIn(stream->drain(), __LINE__));
    CHECK(isIn(stream->readSome(), __LINE__));
    stream->abort();
    reactor.settle();
    CHECK(isIn(stream->drain(), __LINE__));
    CHECK(isIn(stream->readSome(), __LINE__));
    CHECK(isIn(stream->writeAll("x"), __LINE__));
    CHECK(isIn(stream->close(), __LINE__));
}

TEST_CASE("a thread's call has the place of the call, whatever comes of it") {
    testing::MemoryReactor reactor;
    ThreadPool pool;
    CHECK(isIn(deferToThreadPool(reactor, pool, failing), __LINE__));
    const auto same = [](int number) { return number; };
    CHECK(isIn(deferToThreadPool(reactor, pool, same, 1), __LINE__));
    CHECK(isIn(deferToThread(reactor, failing), __LINE__));
    std::promise<int> ready;
    ready.set_value(1);
    CHECK(isIn(fromFuture(reactor, ready.get_future()), __LINE__));
    std::promise<int> waiting;
    CHECK(isIn(fromFuture(reactor, waiting.get_future()), __LINE__));
    waiting.set_value(1);
}
