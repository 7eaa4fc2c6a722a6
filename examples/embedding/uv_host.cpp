// A timestamp server on the program's own uv_loop_t, beside a timer and signals of libuv's own. The reactor closes what
// is its own, and the program's loop can be closed at the end.

#include "../support/program.hpp"
#include "../support/timestamp.hpp"

#include <reactor/libuv/uv_reactor.hpp>

#include <uv.h>

#include <csignal>
#include <cstdint>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

namespace {

void check(int result, const char* call) {
    if (result < 0)
        throw std::system_error(-result, std::generic_category(), call);
}

/// A loop, and what is in it besides the reactor.
class Host {
public:
    Host() {
        check(uv_loop_init(&loop_), "uv_loop_init");
        reactor_.emplace(&loop_);
    }
    Host(const Host&) = delete;
    Host& operator=(const Host&) = delete;
    ~Host() { close(); }

    void run(const examples::Program& program, int interval) {
        program.listen(*reactor_, server_);
        startTimer(static_cast<std::uint64_t>(interval));
        stopBy(interrupt_, SIGINT);
        stopBy(terminate_, SIGTERM);
        reactor_->onStopped([this] { closeOwn(); });
        reactor_->start();
        uv_run(&loop_, UV_RUN_DEFAULT); // until nothing is left, of the reactor's and of ours
        check(close(), "uv_loop_close");
    }

private:
    void startTimer(std::uint64_t interval) {
        check(uv_timer_init(&loop_, &timer_), "uv_timer_init");
        timer_.data = this;
        const auto tick = [](uv_timer_t* timer) { static_cast<Host*>(timer->data)->server_->printAnswered(); };
        check(uv_timer_start(&timer_, tick, interval, interval), "uv_timer_start");
    }

    void stopBy(uv_signal_t& handle, int signal) {
        check(uv_signal_init(&loop_, &handle), "uv_signal_init");
        handle.data = this;
        const auto stop = [](uv_signal_t* by, int) { examples::stop(*static_cast<Host*>(by->data)->reactor_); };
        check(uv_signal_start(&handle, stop, signal), "uv_signal_start");
    }

    void closeOwn() {
        for (uv_handle_t* own : {asHandle(timer_), asHandle(interrupt_), asHandle(terminate_)})
            if (own->loop && !uv_is_closing(own))
                uv_close(own, nullptr);
    }

    template <class Handle>
    static uv_handle_t* asHandle(Handle& handle) {
        return reinterpret_cast<uv_handle_t*>(&handle);
    }

    // The reactor's handles are closed as the loop runs, after it is gone.
    int close() {
        reactor_.reset();
        if (std::exchange(closed_, true))
            return 0;
        closeOwn();
        uv_run(&loop_, UV_RUN_DEFAULT);
        return uv_loop_close(&loop_);
    }

    uv_loop_t loop_{};
    uv_timer_t timer_{};
    uv_signal_t interrupt_{};
    uv_signal_t terminate_{};
    std::shared_ptr<examples::TimestampServer> server_ = std::make_shared<examples::TimestampServer>();
    std::optional<torsion::UvReactor> reactor_;
    bool closed_ = false;
};

} // namespace

int main(int argc, char** argv) {
    examples::Program program("Tells the time, on a libuv loop of its own.", examples::Role::Server, 21567);
    int interval = 1000;
    program.option("--interval", interval, {1, 86'400'000}, "milliseconds of the host's timer");
    return program.run(argc, argv, [&] {
        Host host;
        host.run(program, interval);
    });
}
