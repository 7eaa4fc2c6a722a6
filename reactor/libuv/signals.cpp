#include <reactor/libuv/signals.hpp>

#include <csignal>
#include <map>
#include <mutex>
#include <system_error>
#include <utility>

namespace torsion::uv {

namespace {

/// The process's handling of signals before the first reactor changed it.
class SavedActions {
public:
    /// The handling of `number` that is the program's own. Call with the lock held, as all that follows.
    struct sigaction original(int number) const noexcept {
        if (const auto found = entries_.find(number); found != entries_.end())
            return found->second.action;
        struct sigaction action {};
        ::sigaction(number, nullptr, &action);
        return action;
    }

    bool isDefault(int number) const noexcept {
        const struct sigaction action = original(number);
        return (action.sa_flags & SA_SIGINFO) == 0 && action.sa_handler == SIG_DFL;
    }

    /// One more that changes the handling of `number`; before it does.
    void save(int number) { ++entries_.try_emplace(number, Entry{original(number), 0}).first->second.users; }

    /// One less; after it has ended what it did.
    void restore(int number) noexcept {
        const auto found = entries_.find(number);
        if (--found->second.users != 0)
            return;
        ::sigaction(number, &found->second.action, nullptr);
        entries_.erase(found);
    }

    std::mutex mutex;

private:
    struct Entry {
        struct sigaction action;
        int users;
    };
    std::map<int, Entry> entries_;
};

// Never destroyed: a reactor may be, after main has returned.
SavedActions& savedActions() {
    static auto& saved = *new SavedActions;
    return saved;
}

} // namespace

Signals::Signals(uv_loop_t* loop, Function<void(int)> onSignal) : onSignal_(std::move(onSignal)) {
    watches_.reserve(3);
    saved_.reserve(4);
    SavedActions& process = savedActions();
    try {
        const std::lock_guard lock(process.mutex);
        if (process.isDefault(SIGINT))
            watch(loop, SIGINT);
        watch(loop, SIGTERM);
        if (process.isDefault(SIGHUP)) // ignored under nohup; "read your configuration again" to a daemon
            watch(loop, SIGHUP);
        if (process.isDefault(SIGPIPE))
            ignorePipe();
    } catch (...) {
        stop();
        throw;
    }
}

Signals::~Signals() {
    stop();
}

// With the lock held.
void Signals::watch(uv_loop_t* loop, int number) {
    auto block = std::make_unique<Block>();
    if (const int error = uv_signal_init(loop, &block->handle); error != 0) {
        throw std::system_error(-error, std::generic_category(), "cannot watch signals");
    }
    Block* watched = block.release();
    watched->owner = this;
    watched->handle.data = watched;
    uv_unref(reinterpret_cast<uv_handle_t*>(&watched->handle));
    watches_.push_back(watched);
    savedActions().save(number);
    saved_.push_back(number);
    const int error = uv_signal_start(
        &watched->handle,
        [](uv_signal_t* handle, int signal) {
            if (Signals* owner = static_cast<Block*>(handle->data)->owner)
                owner->onSignal_(signal);
        },
        number);
    if (error != 0)
        throw std::system_error(-error, std::generic_category(), "cannot watch a signal");
}

// With the lock held.
void Signals::ignorePipe() {
    savedActions().save(SIGPIPE);
    saved_.push_back(SIGPIPE);
    struct sigaction ignored {};
    ignored.sa_handler = SIG_IGN;
    ::sigaction(SIGPIPE, &ignored, nullptr);
}

// libuv takes its own handler away with the last watch of the process, and leaves the default: ours comes after it.
void Signals::stop() noexcept {
    SavedActions& process = savedActions();
    const std::lock_guard lock(process.mutex);
    for (Block* block : watches_) {
        block->owner = nullptr;
        uv_close(reinterpret_cast<uv_handle_t*>(&block->handle),
                 [](uv_handle_t* handle) { delete static_cast<Block*>(handle->data); });
    }
    watches_.clear();
    for (const int number : saved_)
        process.restore(number);
    saved_.clear();
}

} // namespace torsion::uv
