#pragma once

#include <reactor/embedding/adapter.hpp>

#include <QAbstractEventDispatcher>
#include <QEvent>
#include <QObject>
#include <QSocketNotifier>
#include <QThread>
#include <QTimer>

#include <memory>
#include <stdexcept>
#include <utility>

namespace torsion {

/// A reactor inside of a Qt event loop, of Qt 5.15 or 6, with whichever event dispatcher.
///
/// @code
/// QApplication application(argc, argv);
/// torsion::UvReactor reactor;
/// torsion::QtAdapter inside(reactor.embed());
/// reactor.listenTCP(7, echo);
/// reactor.onStopped([&] { application.quit(); });
/// reactor.start();
/// return application.exec();
/// @endcode
///
/// A QObject, without moc: with a parent it is the parent's to delete. Belongs to the thread it is made in, which is
/// the reactor's and has an event loop; not to be moved to another, nor its parent. A dialog that is executed inside of
/// a callback needs no `refresh()`: the adapter asks for the time before the event dispatcher waits, too.
///
/// When the thread's event dispatcher goes first (the QCoreApplication is destroyed), the adapter lets go of the
/// reactor, as if it were destroyed itself: the reactor stays as it is, and may get another host. A Qt application does
/// not go on in a child process after fork(): there `exec` or `_exit`.
class QtAdapter final : public QObject, public Adapter {
public:
    /// @throws std::logic_error when this thread has no event dispatcher (there is no QCoreApplication yet), or the
    /// reactor has a host already
    explicit QtAdapter(Embedding embedding, QObject* parent = nullptr);
    ~QtAdapter() override { detach(); }

private:
    /// Tells of its descriptor without a signal, which would cost more.
    class Notifier final : public QSocketNotifier {
    public:
        Notifier(int descriptor, QtAdapter& adapter) : QSocketNotifier(descriptor, Read), adapter_(adapter) {}

    private:
        bool event(QEvent* what) override;

        QtAdapter& adapter_;
    };

    void watch(int descriptor) override;
    void unwatch() noexcept override { notifier_->setEnabled(false); }
    void wake(Wait wait) noexcept override;

    std::unique_ptr<Notifier> notifier_;
    QTimer timer_{this};
};

inline QtAdapter::QtAdapter(Embedding embedding, QObject* parent) : QObject(parent), Adapter(std::move(embedding)) {
    Adapter::embedding().timeout(); // on another thread that is asserted, before Qt is asked about it
    QAbstractEventDispatcher* const dispatcher = QAbstractEventDispatcher::instance(QThread::currentThread());
    if (!dispatcher)
        throw std::logic_error("QtAdapter: this thread has no event dispatcher: make the QCoreApplication first");
    timer_.setSingleShot(true);
    timer_.setTimerType(Qt::PreciseTimer); // else late by 5 %
    connect(&timer_, &QTimer::timeout, this, [this] { dispatch(); });
    connect(dispatcher, &QAbstractEventDispatcher::aboutToBlock, this, [this] { refresh(); });
    connect(dispatcher, &QObject::destroyed, this, [this] { detach(); });
    attach();
}

// The same notifier is turned on and off: a dialog in a callback may do so while it is on the stack. Another
// generation's is registered anew by that, too.
inline void QtAdapter::watch(int descriptor) {
    if (!notifier_ || notifier_->socket() != descriptor)
        notifier_ = std::make_unique<Notifier>(descriptor, *this);
    notifier_->setEnabled(true);
}

inline void QtAdapter::wake(Wait wait) noexcept {
    if (wait)
        timer_.start(static_cast<int>(wait->count()));
    else
        timer_.stop();
}

inline bool QtAdapter::Notifier::event(QEvent* what) {
    if (what->type() != QEvent::SockAct)
        return QSocketNotifier::event(what);
    adapter_.dispatch(); // may destroy both
    return true;
}

} // namespace torsion
