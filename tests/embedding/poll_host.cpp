#include <reactor/embedding/poll.hpp>

#include "embedding/host.hpp"
#include "embedding/own_events.hpp"

#include <optional>

namespace torsion::test {

namespace {

/// A program's own loop around poll.
class PollingHost final : public Host {
public:
    void attach(Embedding embedding) override { inside_.emplace(std::move(embedding)); }
    void detach() override { inside_.reset(); }
    Dispatched dispatch() override { return inside_->embedding().dispatch(); }
    bool forks() const noexcept override { return true; }
    bool refusesSecond() const noexcept override { return false; }
    bool dispatchesEachTurn() const noexcept override { return true; }

    bool runUntil(CallableRef<bool()> condition, Milliseconds limit) override {
        const auto end = OwnEvents::Clock::now() + limit;
        while (!condition()) {
            if (OwnEvents::Clock::now() > end)
                return false;
            std::vector<pollfd> watched = events_.watched();
            const Milliseconds wait = events_.wait(end);
            if (inside_)
                inside_->turn(watched, wait);
            else
                ::poll(watched.data(), watched.size(), static_cast<int>(wait.count()));
            events_.callDue(watched);
        }
        return true;
    }

    void after(Milliseconds delay, std::function<void()> f) override { events_.after(delay, std::move(f)); }
    void watch(int descriptor, std::function<void()> f) override { events_.watch(descriptor, std::move(f)); }

private:
    OwnEvents events_;
    std::optional<PollHost> inside_;
};

const RegisterHost registered{{"poll", &makeHost<PollingHost>, {}}};
const RegisterHost single{{"poll, single descriptor", &makeHost<PollingHost>, {.singleDescriptor = true}}};

} // namespace

} // namespace torsion::test
