#include <reactor/embedding/qt.hpp>

#include "embedding/host.hpp"
#include "embedding/qt_application.hpp"

#include <QAbstractEventDispatcher>
#include <QCoreApplication>
#include <QEventLoop>
#include <QObject>
#include <QSocketNotifier>
#include <QTimer>

#include <poll.h>

#include <map>
#include <memory>
#include <optional>

namespace torsion::test {

namespace {

/// One at a time, for as long as somebody has it.
std::shared_ptr<QCoreApplication> application() {
    static std::weak_ptr<QCoreApplication> last;
    std::shared_ptr<QCoreApplication> one = last.lock();
    if (!one)
        last = one = makeApplication();
    return one;
}

/// Qt's event loop in the first thread, with the event dispatcher that the environment's QT_NO_GLIB decides on.
class QtHost final : public Host {
public:
    void attach(Embedding embedding) override { inside_.emplace(std::move(embedding)); }
    void detach() override { inside_.reset(); }
    Dispatched dispatch() override { return inside_->dispatch(); }

    bool runUntil(CallableRef<bool()> condition, Milliseconds limit) override {
        QTimer timer;
        timer.setSingleShot(true);
        timer.start(static_cast<int>(limit.count()));
        bool holds = condition();
        while (!holds && timer.isActive()) {
            QCoreApplication::processEvents(QEventLoop::AllEvents | QEventLoop::WaitForMoreEvents);
            holds = condition();
        }
        return holds;
    }

    void after(Milliseconds delay, std::function<void()> f) override {
        QTimer::singleShot(static_cast<int>(delay.count()), Qt::PreciseTimer, &events_, std::move(f));
    }

    void watch(int descriptor, std::function<void()> f) override {
        std::unique_ptr<QSocketNotifier>& notifier = notifiers_[descriptor];
        notifier.reset(); // Qt has one for a descriptor
        notifier = std::make_unique<QSocketNotifier>(descriptor, QSocketNotifier::Read);
        // Qt's dispatcher around GLib tells again, after a loop inside of a callback, what was told in that already.
        QObject::connect(notifier.get(), &QSocketNotifier::activated, &events_, [descriptor, f = std::move(f)] {
            pollfd now{descriptor, POLLIN, 0};
            if (::poll(&now, 1, 0) == 1 && now.revents == POLLIN)
                f();
        });
    }

private:
    std::shared_ptr<QCoreApplication> application_ = application();
    QObject events_; // calls the host's own
    std::map<int, std::unique_ptr<QSocketNotifier>> notifiers_;
    std::optional<QtAdapter> inside_;
};

const RegisterHost registered{{"Qt", &makeHost<QtHost>, {}}};
const RegisterHost single{{"Qt, single descriptor", &makeHost<QtHost>, {.singleDescriptor = true}}};

} // namespace

} // namespace torsion::test
