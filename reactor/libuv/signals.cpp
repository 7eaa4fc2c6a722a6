#include <reactor/libuv/signals.hpp>

#include <system_error>
#include <utility>

namespace torsion::uv {

namespace {

struct sigaction currentAction(int number) noexcept {
    struct sigaction action {};
    ::sigaction(number, nullptr, &action);
    return action;
}

bool isDefault(const struct sigaction& action) noexcept {
    return (action.sa_flags & SA_SIGINFO) == 0 && action.sa_handler == SIG_DFL;
}

} // namespace

Signals::Signals(uv_loop_t* loop, Function<void(int)> onSignal) : onSignal_(std::move(onSignal)) {
    watches_.reserve(3);
    saved_.reserve(4);
    try {
        if (isDefault(currentAction(SIGINT)))
            watch(loop, SIGINT);
        watch(loop, SIGTERM);
        watch(loop, SIGHUP);
    } catch (...) {
        stop();
        throw;
    }
    if (const struct sigaction pipe = currentAction(SIGPIPE); isDefault(pipe)) {
        saved_.push_back({SIGPIPE, pipe});
        struct sigaction ignored {};
        ignored.sa_handler = SIG_IGN;
        ::sigaction(SIGPIPE, &ignored, nullptr);
    }
}

Signals::~Signals() {
    stop();
}

void Signals::watch(uv_loop_t* loop, int number) {
    const struct sigaction before = currentAction(number);
    auto block = std::make_unique<Block>();
    if (const int error = uv_signal_init(loop, &block->handle); error != 0) {
        throw std::system_error(-error, std::generic_category(), "cannot watch signals");
    }
    Block* watched = block.release();
    watched->owner = this;
    watched->handle.data = watched;
    uv_unref(reinterpret_cast<uv_handle_t*>(&watched->handle));
    watches_.push_back(watched);
    const int error = uv_signal_start(
        &watched->handle,
        [](uv_signal_t* handle, int signal) {
            if (Signals* owner = static_cast<Block*>(handle->data)->owner)
                owner->onSignal_(signal);
        },
        number);
    if (error != 0)
        throw std::system_error(-error, std::generic_category(), "cannot watch a signal");
    saved_.push_back({number, before});
}

void Signals::stop() noexcept {
    for (Block* block : watches_) {
        block->owner = nullptr;
        uv_close(reinterpret_cast<uv_handle_t*>(&block->handle),
                 [](uv_handle_t* handle) { delete static_cast<Block*>(handle->data); });
    }
    watches_.clear();
    for (const Saved& saved : saved_)
        ::sigaction(saved.number, &saved.action, nullptr);
    saved_.clear();
}

} // namespace torsion::uv
