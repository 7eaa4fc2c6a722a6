// A window with a timestamp server inside: Qt's event loop runs the program, and the reactor in it. While the dialog is
// open, which has an event loop of its own inside of the program's, the server goes on answering.

#include "../support/program.hpp"
#include "../support/timestamp.hpp"

#include <reactor/embedding/qt.hpp>
#include <reactor/protocol.hpp>

#include <QApplication>
#include <QCloseEvent>
#include <QFontDatabase>
#include <QLabel>
#include <QMessageBox>
#include <QPainter>
#include <QPixmap>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QSocketNotifier>
#include <QString>
#include <QTime>
#include <QTimer>
#include <QVBoxLayout>
#include <QWidget>

#include <spdlog/fmt/fmt.h>

#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace {

/// The log, the count, a clock, and a button for the dialog.
class Window : public QWidget {
public:
    /// @param closed the user would like to leave: the reactor is stopped first.
    explicit Window(std::function<void()> closed) : closed_(std::move(closed)) {
        setWindowTitle("Timestamp server");
        resize(480, 320);
        log_.setReadOnly(true);
        log_.setFont(QFontDatabase::systemFont(QFontDatabase::FixedFont));
        button_.setText("Open a dialog");
        connect(&button_, &QPushButton::clicked, this, [this] { openDialog(); });
        auto* const layout = new QVBoxLayout(this);
        layout->addWidget(&clock_);
        layout->addWidget(&count_);
        layout->addWidget(&log_);
        layout->addWidget(&button_);
    }

    void append(const std::string& line) { log_.appendPlainText(QString::fromStdString(line)); }

    void tick(std::uint64_t answered) {
        clock_.setText(QTime::currentTime().toString("HH:mm:ss"));
        count_.setText(QString("Messages answered: %1").arg(answered));
    }

    /// Returns when it is closed.
    void openDialog() {
        QMessageBox dialog(QMessageBox::Information, "Dialog", "The server goes on answering while this is open.",
                           QMessageBox::Close, this);
        dialog_ = &dialog;
        dialog.exec();
        dialog_ = nullptr;
    }

    void closeDialog() {
        if (dialog_)
            dialog_->close();
    }

    /// The window, and the dialog in its middle.
    QPixmap picture() {
        QPixmap picture = grab();
        if (dialog_) {
            const QPixmap front = dialog_->grab();
            const QSize room = (size() - dialog_->size()) / 2;
            QPainter painter(&picture);
            painter.drawPixmap(room.width(), room.height(), front);
            painter.drawRect(room.width(), room.height(), front.width(), front.height());
        }
        return picture;
    }

private:
    void closeEvent(QCloseEvent* event) override {
        event->ignore(); // the program's end closes it
        closed_();
    }

    std::function<void()> closed_;
    QLabel clock_{this};
    QLabel count_{this};
    QPlainTextEdit log_{this};
    QPushButton button_{this};
    QMessageBox* dialog_ = nullptr; // the one that is open
};

/// SIGINT and SIGTERM, for Qt to watch.
class Signals {
public:
    Signals() {
        sigset_t both;
        sigemptyset(&both);
        sigaddset(&both, SIGINT);
        sigaddset(&both, SIGTERM);
        sigprocmask(SIG_BLOCK, &both, nullptr);
        descriptor_ = ::signalfd(-1, &both, SFD_NONBLOCK | SFD_CLOEXEC);
    }
    Signals(const Signals&) = delete;
    Signals& operator=(const Signals&) = delete;
    ~Signals() { ::close(descriptor_); }

    int descriptor() const noexcept { return descriptor_; }

    void take() {
        signalfd_siginfo taken;
        static_cast<void>(::read(descriptor_, &taken, sizeof taken) == sizeof taken);
    }

private:
    int descriptor_;
};

/// Sends a line, and calls when it has been answered.
class Client : public torsion::Protocol {
public:
    Client(std::string line, std::function<void()> answered) : line_(std::move(line)), answered_(std::move(answered)) {}

    void connectionMade() override { transport->write(line_); }

    void dataReceived(std::string_view data) override {
        if (data.ends_with('\n'))
            answered_();
    }

private:
    std::string line_;
    std::function<void()> answered_;
};

/// Has a client of the program's own talk with the server, opens the dialog inside of that client's callback, has
/// another talk meanwhile, saves a picture, and ends.
class Screenshot {
public:
    Screenshot(examples::Program& program, torsion::UvReactor& reactor, Window& window, int port)
        : program_(program), reactor_(reactor), window_(window), port_(port) {}

    /// @param refresh brings the window up to date.
    void take(const std::string& file, std::function<void()> refresh) {
        const auto save = [this, file, refresh = std::move(refresh)] {
            refresh();
            if (!window_.picture().save(QString::fromStdString(file), "PNG"))
                program_.fail("cannot write " + file);
            window_.closeDialog();
        };
        ask("is it late?\n", [this, save] {
            QTimer::singleShot(0, &window_, [this, save] { ask("and with a dialog open?\n", save); });
            window_.openDialog();
            examples::stop(reactor_);
        });
    }

private:
    void ask(const std::string& line, const std::function<void()>& answered) {
        reactor_.connectTCP(program_.host(), port_, torsion::ClientFactory::forProtocol<Client>(line, answered));
    }

    examples::Program& program_;
    torsion::UvReactor& reactor_;
    Window& window_;
    int port_;
};

} // namespace

int main(int argc, char** argv) {
    examples::Program program("Tells the time, inside of a window's event loop.", examples::Role::Server, 21567);
    int interval = 1000;
    std::string file;
    program.option("--interval", interval, {1, 86'400'000}, "milliseconds of the host's timer");
    program.option("--screenshot", file, "save a picture of the window to this file, and end");
    return program.run(argc, argv, [&](torsion::UvReactor& reactor) {
        Signals stopSignals;
        int count = 1; // Qt's own options are in the environment, too
        QApplication application(count, argv);
        torsion::QtAdapter inside(reactor.embed());

        Window window([&] { examples::stop(reactor); });
        const auto server = std::make_shared<examples::TimestampServer>([&](const std::string& line) {
            fmt::print("{}\n", line);
            window.append(line);
        });
        const int port = program.listen(reactor, server);

        const auto tick = [&] {
            server->printAnswered();
            window.tick(server->answered());
        };
        QTimer timer;
        QObject::connect(&timer, &QTimer::timeout, &window, tick);
        timer.start(interval);
        QSocketNotifier notifier(stopSignals.descriptor(), QSocketNotifier::Read);
        QObject::connect(&notifier, &QSocketNotifier::activated, &window, [&] {
            stopSignals.take();
            window.closeDialog(); // it may be one that a callback of the reactor's has opened
            examples::stop(reactor);
        });

        reactor.onStopped([] { QApplication::exit(); }); // quit() would ask the window, which refuses
        reactor.start();
        tick();
        window.show();
        Screenshot screenshot(program, reactor, window, port);
        if (!file.empty())
            screenshot.take(file, tick);
        application.exec();
    });
}
