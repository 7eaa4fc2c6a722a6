// What is particular about Qt.

#include <reactor/embedding/poll.hpp>
#include <reactor/embedding/qt.hpp>
#include <reactor/libuv/uv_reactor.hpp>

#include "embedding/busy.hpp"
#include "embedding/qt_application.hpp"

#include <doctest/doctest.h>

#include <QCoreApplication>
#include <QEvent>
#include <QEventLoop>
#include <QObject>
#include <QThread>
#include <QTimer>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <thread>
#include <utility>

using namespace std::chrono_literals;
using namespace torsion;
using namespace torsion::test;

TEST_CASE("Qt: without an event dispatcher an adapter is refused, and the reactor is free for another host") {
    UvReactor reactor;
    Embedding embedding = reactor.embed();
    // A thread of its own: Qt knows those that it has not started only when they have a loop.
    std::thread([] {
        UvReactor other;
        CHECK_THROWS_AS(QtAdapter(other.embed()), std::logic_error);
    }).join();
    const auto application = makeApplication();
    const QtAdapter inside(embedding);
}

TEST_CASE("Qt: exec() runs the reactor, and ends when it has stopped") {
    const auto application = makeApplication();
    UvReactor reactor;
    const QtAdapter inside(reactor.embed());
    reactor.onStopped([] { QCoreApplication::exit(7); });
    reactor.start();
    reactor.callLater(1ms, [&] { reactor.stop(); });
    CHECK(QCoreApplication::exec() == 7);
}

TEST_CASE("Qt: an adapter is deleted with its parent, in a callback of the reactor's too") {
    const auto application = makeApplication();
    UvReactor reactor;
    Embedding embedding = reactor.embed();
    for (const bool inside : {false, true}) {
        auto parent = std::make_unique<QObject>();
        auto* const adapter = new QtAdapter(embedding, parent.get());
        CHECK(adapter->parent() == parent.get());
        if (inside)
            reactor.callLater(0ms, [&] { parent.reset(); });
        else
            parent.reset();
        while (parent)
            QCoreApplication::processEvents(QEventLoop::AllEvents | QEventLoop::WaitForMoreEvents);
    }
    const QtAdapter another(embedding); // it has let go
}

TEST_CASE("Qt: when the application goes first, the adapter lets go, and the reactor goes on in another host") {
    auto application = makeApplication();
    UvReactor reactor;
    Embedding embedding = reactor.embed();
    std::optional<QtAdapter> inside(std::in_place, embedding);
    const auto turn = [] { QCoreApplication::processEvents(QEventLoop::AllEvents | QEventLoop::WaitForMoreEvents); };
    int calls = 0;
    reactor.callLater(0ms, [&] { ++calls; });
    while (calls == 0)
        turn();

    reactor.callLater(2ms, [&] { ++calls; });
    application.reset();
    reactor.callLater(1ms, [&] { ++calls; }); // nobody is told, and nothing is complained of
    {
        PollHost other(embedding);
        while (calls < 3)
            other.turn();
    }

    application = makeApplication();
    const QtAdapter again(embedding);
    inside.reset(); // leaves the other one alone
    reactor.callLater(1ms, [&] { ++calls; });
    while (calls == 3)
        turn();
}

TEST_CASE("Qt: a reactor in a thread of Qt's belongs to that thread's event loop, and may be stopped from another") {
    const auto application = makeApplication();
    class Worker : public QThread {
    public:
        bool stopped = false;

    private:
        void run() override {
            UvReactor reactor;
            const QtAdapter inside(reactor.embed());
            reactor.onStopped([this] {
                stopped = true;
                exit();
            });
            reactor.start();
            std::jthread other([remote = reactor.remote(), &reactor] { remote.post([&reactor] { reactor.stop(); }); });
            exec();
        }
    } worker;
    worker.start();
    worker.wait();
    CHECK(worker.stopped);
}

TEST_CASE("H14: Qt: the reactor's timer is a precise one") {
    const auto application = makeApplication();
    UvReactor reactor;
    const QtAdapter inside(reactor.embed());
    const auto timers = inside.findChildren<QTimer*>();
    REQUIRE(timers.size() == 1);
    CHECK(timers.front()->timerType() == Qt::PreciseTimer);
}

TEST_CASE("Qt: waiting for a timed call of the reactor's takes a dispatch or two, not many") {
    const auto application = makeApplication();
    UvReactor reactor;
    QtAdapter inside(reactor.embed());
    reactor.callLater(200ms, [] { QCoreApplication::exit(); });
    QTimer::singleShot(0, [] {});
    const std::uint64_t before = inside.embedding().dispatches();
    QCoreApplication::exec();
    CHECK(inside.embedding().dispatches() - before <= 3);
}

TEST_CASE("Qt: posted events of the lowest priority (as paint requests are) and timers come between dispatches (H19)") {
    const auto application = makeApplication();
    UvReactor reactor;
    QtAdapter inside(reactor.embed());
    Restless restless(reactor);
    int timers = 0;
    QTimer timer;
    QObject::connect(&timer, &QTimer::timeout, [&] { ++timers; });
    timer.start(0);
    struct Paints final : QObject {
        bool event(QEvent*) override {
            if (++count == 20)
                QCoreApplication::quit();
            QCoreApplication::postEvent(this, new QEvent(QEvent::UpdateRequest), Qt::LowEventPriority);
            return true;
        }
        int count = 0;
    } paints;
    QCoreApplication::postEvent(&paints, new QEvent(QEvent::UpdateRequest), Qt::LowEventPriority);
    QCoreApplication::exec();
    CHECK(paints.count >= 20);
    CHECK(timers > 0);
    CHECK(restless.calls > 0);
}
