#include "loop.hpp"

#include <reactor/embedding/epoll.hpp>

#include <sys/epoll.h>
#include <unistd.h>

#include <array>

namespace torsion::benchmarks {

namespace {

void run(Work& work) {
    bool done = false;
    work.quit = [&] { done = true; };
    const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
    {
        EpollAdapter inside(work.embed(), epoll);
        while (!done) {
            std::array<epoll_event, 64> events{};
            const int count = ::epoll_wait(epoll, events.data(), static_cast<int>(events.size()), inside.timeout());
            for (int i = 0; i < count; ++i)
                inside.takes(events[static_cast<std::size_t>(i)]);
            inside.serve();
        }
    }
    ::close(epoll);
}

const RegisterLoop registered{{"epoll", 1.4, &run}};

} // namespace

} // namespace torsion::benchmarks
