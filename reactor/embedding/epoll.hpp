#pragma once

#include <reactor/embedding/adapter.hpp>
#include <reactor/embedding/detail/poll_limit.hpp>

#include <sys/epoll.h>

#include <cerrno>
#include <chrono>
#include <system_error>
#include <utility>

namespace torsion {

/// A reactor inside of a program's loop around epoll_wait(2).
///
/// @code
/// torsion::EpollAdapter inside(reactor.embed(), epoll); // epoll: the program's
/// bool stopped = false;
/// reactor.onStopped([&] { stopped = true; });
/// reactor.start();
/// while (!stopped) {
///     epoll_event events[64];
///     const int count = epoll_wait(epoll, events, 64, inside.timeout());
///     for (int i = 0; i < count; ++i)
///         if (!inside.takes(events[i]))
///             serve(events[i]);
///     inside.serve();
/// }
/// @endcode
///
/// The loop may run inside of callbacks, too. The descriptor is watched for the level; an edge would be seen once, and
/// connections stall. Does not go along into a child process, which shares the epoll descriptor with its parent: there
/// `exec` or `_exit`.
class EpollAdapter final : public Adapter {
public:
    /// @param epoll stays the program's, and open until this object is gone.
    /// @throws std::system_error, std::logic_error as Adapter::attach
    EpollAdapter(Embedding embedding, int epoll) : EpollAdapter(std::move(embedding), epoll, ownData(this)) {}

    /// @param data what the reactor's events bear, and no others; else this object's address.
    EpollAdapter(Embedding embedding, int epoll, epoll_data_t data)
        : Adapter(std::move(embedding)), epoll_(epoll), data_(data) {
        attach();
    }
    ~EpollAdapter() override { detach(); }

    /// What to give epoll_wait(2), in milliseconds; -1: for ever.
    /// @param own how long the program itself wants to wait at most.
    int timeout(Wait own = std::nullopt) noexcept;

    /// Whether an event is the reactor's; `serve()` sees to it then.
    bool takes(const epoll_event& event) noexcept;

    /// Dispatches, if there was such an event or the time has come.
    void serve();

private:
    static epoll_data_t ownData(void* pointer) noexcept;

    void watch(int descriptor) override;
    void unwatch() noexcept override;
    void wake(Wait) noexcept override {} // asked each time
    void changed() noexcept override {}

    int epoll_;
    epoll_data_t data_;
    int descriptor_ = -1;
    bool ready_ = false;
};

inline int EpollAdapter::timeout(Wait own) noexcept {
    return ready_ ? 0 : detail::pollLimit(Adapter::wait(), own);
}

inline bool EpollAdapter::takes(const epoll_event& event) noexcept {
    if (event.data.u64 != data_.u64)
        return false;
    ready_ = true;
    return true;
}

inline void EpollAdapter::serve() {
    const auto self = this->self();
    const bool isDue = std::exchange(ready_, false) || wait() == std::chrono::milliseconds(0);
    if (isDue && *self)
        dispatch();
}

inline epoll_data_t EpollAdapter::ownData(void* pointer) noexcept {
    epoll_data_t data{};
    data.ptr = pointer;
    return data;
}

inline void EpollAdapter::watch(int descriptor) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data = data_;
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event) != 0)
        throw std::system_error(errno, std::generic_category(), "epoll_ctl");
    descriptor_ = descriptor;
}

inline void EpollAdapter::unwatch() noexcept {
    ::epoll_ctl(epoll_, EPOLL_CTL_DEL, std::exchange(descriptor_, -1), nullptr);
    ready_ = false;
}

} // namespace torsion
