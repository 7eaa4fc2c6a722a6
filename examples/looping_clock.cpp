// A clock that everybody may listen to: a LoopingCall for each connection, which ends with it.

#include "support/program.hpp"

#include <reactor/looping_call.hpp>
#include <reactor/scoped_protocol.hpp>

#include <spdlog/fmt/fmt.h>

#include <chrono>
#include <cstdint>

namespace {

struct Beat {
    std::chrono::milliseconds interval{1000};
    std::int64_t count = 0; // 0: for ever
};

/// Says "tick 1", "tick 2", …; the number says how much time has passed, also where the clock came late.
class Clock : public torsion::ScopedProtocol<> {
public:
    explicit Clock(const Beat& beat) : beat_(beat) {}

    void connectionMade() override {
        // When the connection is lost its scope cancels the loop.
        scope().spawn(tick());
    }

private:
    torsion::Deferred<void> tick() {
        std::int64_t ticks = 0;
        torsion::LoopingCall* running = nullptr;
        const auto say = [&](std::int64_t passed) {
            ticks += passed;
            transport->write(fmt::format("tick {}\n", ticks));
            if (beat_.count != 0 && ticks >= beat_.count)
                running->stop();
        };
        torsion::LoopingCall loop = torsion::LoopingCall::withCount(transport->reactor(), say);
        running = &loop;
        co_await loop.start(beat_.interval);
        transport->loseConnection();
    }

    Beat beat_;
};

} // namespace

int main(int argc, char** argv) {
    examples::Program program("Tells every peer how the time passes.", examples::Role::Server, 7037);
    Beat beat;
    int interval = 1000;
    program.option("--interval", interval, {1, 86'400'000}, "milliseconds between ticks");
    program.option("--count", beat.count, {0, 1'000'000'000}, "ticks for each peer; 0: for ever");
    return program.run(argc, argv, [&](torsion::UvReactor& reactor) {
        beat.interval = std::chrono::milliseconds(interval);
        program.serve(reactor, torsion::Factory::forProtocol<Clock>(beat));
    });
}
