// A timestamp server inside of a program's own loop around epoll_wait, beside a timerfd and a signalfd of the
// program's.

#include "../support/program.hpp"
#include "../support/timestamp.hpp"

#include <reactor/embedding/epoll.hpp>

#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <memory>
#include <system_error>
#include <utility>

namespace {

class Descriptor {
public:
    Descriptor(int descriptor, const char* call) : descriptor_(descriptor) {
        if (descriptor < 0)
            throw std::system_error(errno, std::generic_category(), call);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() { ::close(descriptor_); }

    int get() const noexcept { return descriptor_; }

private:
    int descriptor_;
};

int makeTimer(int milliseconds) {
    const int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    const timespec interval{milliseconds / 1000, milliseconds % 1000 * 1'000'000L};
    const itimerspec setting{interval, interval};
    timerfd_settime(timer, 0, &setting, nullptr);
    return timer;
}

int takeSignals() {
    sigset_t signals{};
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    return signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

/// The program: it has events of its own.
class Host {
public:
    Host(torsion::UvReactor& reactor, const examples::TimestampServer& server, int interval)
        : reactor_(reactor), server_(server), timer_(makeTimer(interval), "timerfd_create") {
        add(timer_);
        add(signals_);
    }

    void run() {
        torsion::EpollAdapter inside(reactor_.embed(), epoll_.get());
        bool stopped = false;
        reactor_.onStopped([&] { stopped = true; });
        reactor_.start();
        while (!stopped) {
            epoll_event events[8];
            const int count = epoll_wait(epoll_.get(), events, std::size(events), inside.timeout());
            for (int i = 0; i < count; ++i)
                if (!inside.takes(events[i]))
                    serve(events[i].data.fd);
            inside.serve();
        }
    }

private:
    void add(const Descriptor& descriptor) {
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.fd = descriptor.get();
        epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, descriptor.get(), &event);
    }

    void serve(int descriptor) {
        if (descriptor == timer_.get()) {
            std::uint64_t count = 0;
            if (::read(descriptor, &count, sizeof count) == sizeof count)
                server_.printAnswered();
        } else {
            signalfd_siginfo signal{};
            if (::read(descriptor, &signal, sizeof signal) == sizeof signal)
                examples::stop(reactor_); // the loop ends when the reactor has: everything is closed then
        }
    }

    torsion::UvReactor& reactor_;
    const examples::TimestampServer& server_;
    Descriptor epoll_{epoll_create1(EPOLL_CLOEXEC), "epoll_create1"};
    Descriptor timer_;
    Descriptor signals_{takeSignals(), "signalfd"};
};

} // namespace

int main(int argc, char** argv) {
    examples::Program program("Tells the time, inside of a loop around epoll_wait.", examples::Role::Server, 21567);
    int interval = 1000;
    program.option("--interval", interval, {1, 86'400'000}, "milliseconds of the host's timer");
    return program.run(argc, argv, [&](torsion::UvReactor& reactor) {
        const auto server = std::make_shared<examples::TimestampServer>();
        program.listen(reactor, server);
        Host(reactor, *server, interval).run();
    });
}
