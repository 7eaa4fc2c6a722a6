#pragma once

#include <reactor/producer.hpp>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace torsion::testing {

/// What strict producers have in common: a record of calls, and of calls that a consumer must not make. Such a call
/// also throws std::logic_error, for consumers that let it through.
class ProducerLog {
public:
    /// "resume", "pause", "stop", in order.
    const std::vector<std::string>& calls() const noexcept { return calls_; }

    /// What the consumer did wrong, in words; empty: nothing.
    const std::vector<std::string>& violations() const noexcept { return violations_; }

    std::size_t count(const std::string& call) const {
        return static_cast<std::size_t>(std::count(calls_.begin(), calls_.end(), call));
    }

protected:
    ProducerLog() = default;
    ~ProducerLog() = default;

    void note(const char* call) { calls_.emplace_back(call); }

    void forbid(bool wrong, const char* what) {
        if (!wrong)
            return;
        violations_.emplace_back(what);
        throw std::logic_error(what);
    }

private:
    std::vector<std::string> calls_;
    std::vector<std::string> violations_;
};

/// A push producer that holds its consumer to the protocol of producers: it begins producing; pause and resume
/// alternate; after stop nothing comes. Owned by the test; for a consumer's tests.
class StrictPushProducer final : public PushProducer, public ProducerLog {
public:
    enum class State { Producing, Paused, Stopped };

    State state() const noexcept { return state_; }

    /// Called at the end of the calls; may write, unregister, destroy other things, throw.
    std::function<void()> onResume;
    std::function<void()> onPause;
    std::function<void()> onStop;

    void resumeProducing() override {
        note("resume");
        forbid(state_ == State::Stopped, "resumed after stop");
        forbid(state_ == State::Producing, "resumed without a pause");
        state_ = State::Producing;
        if (onResume)
            onResume();
    }

    void pauseProducing() override {
        note("pause");
        forbid(state_ == State::Stopped, "paused after stop");
        forbid(state_ == State::Paused, "paused twice");
        state_ = State::Paused;
        if (onPause)
            onPause();
    }

    void stopProducing() override {
        note("stop");
        forbid(state_ == State::Stopped, "stopped twice");
        state_ = State::Stopped;
        if (onStop)
            onStop();
    }

private:
    State state_ = State::Producing;
};

/// A pull producer that holds its consumer to the protocol: it is asked, or stopped once, and after that let alone. (A
/// consumer cannot pause it: it has no such function.) It must not be asked inside its own answer.
class StrictPullProducer final : public PullProducer, public ProducerLog {
public:
    bool stopped() const noexcept { return stopped_; }

    std::function<void()> onResume;
    std::function<void()> onStop;

    void resumeProducing() override {
        note("resume");
        forbid(stopped_, "resumed after stop");
        forbid(resuming_, "resumed inside resumeProducing");
        resuming_ = true;
        if (onResume)
            onResume();
        resuming_ = false;
    }

    void stopProducing() override {
        note("stop");
        forbid(stopped_, "stopped twice");
        stopped_ = true;
        if (onStop)
            onStop();
    }

private:
    bool stopped_ = false;
    bool resuming_ = false;
};

} // namespace torsion::testing
