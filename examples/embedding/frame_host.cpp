// A timestamp server inside of a loop that goes round sixty times a second, as a game's does: what is left of each
// frame is the reactor's.

#include "../support/program.hpp"
#include "../support/timestamp.hpp"

#include <reactor/embedding/frame.hpp>

#include <spdlog/fmt/fmt.h>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <memory>

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr Clock::duration kFrame = Clock::duration(1s) / 60;

volatile std::sig_atomic_t quitting = 0;

void quit(int) {
    quitting = 1;
}

/// What there is to play.
class Game {
public:
    Game(const examples::TimestampServer& server, std::chrono::milliseconds interval)
        : server_(server), interval_(interval) {}

    /// Draws a picture, and says now and then how many there were.
    void draw() {
        ++frames_;
        if (Clock::now() < next_)
            return;
        next_ += interval_;
        fmt::print("frames: {}\n", frames_);
        server_.printAnswered();
    }

private:
    const examples::TimestampServer& server_;
    Clock::duration interval_;
    Clock::time_point next_ = Clock::now();
    std::uint64_t frames_ = 0;
};

void play(torsion::UvReactor& reactor, Game& game) {
    torsion::FrameAdapter inside(reactor.embed({.budget = 1ms}));
    bool stopped = false;
    reactor.onStopped([&] { stopped = true; });
    reactor.start();
    for (auto next = Clock::now() + kFrame; !stopped; next += kFrame) {
        if (quitting) {
            quitting = 0;
            examples::stop(reactor); // the game is over when the reactor has ended: everything is closed then
        }
        game.draw();
        inside.until(next); // a message is answered when it comes
    }
}

} // namespace

int main(int argc, char** argv) {
    examples::Program program("Tells the time, sixty times a second.", examples::Role::Server, 21567);
    int interval = 1000;
    program.option("--interval", interval, {1, 86'400'000}, "milliseconds between two reports");
    return program.run(argc, argv, [&](torsion::UvReactor& reactor) {
        const auto server = std::make_shared<examples::TimestampServer>();
        program.listen(reactor, server);
        std::signal(SIGINT, &quit);
        std::signal(SIGTERM, &quit);
        Game game(*server, std::chrono::milliseconds(interval));
        play(reactor, game);
    });
}
