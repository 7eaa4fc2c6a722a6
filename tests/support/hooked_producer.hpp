#pragma once

#include <reactor/producer.hpp>

#include <functional>

namespace torsion::test {

/// A push producer that does what the test says.
struct HookedProducer final : PushProducer {
    void pauseProducing() override {
        if (pause)
            pause();
    }
    void resumeProducing() override {
        if (resume)
            resume();
    }
    void stopProducing() override {
        if (stop)
            stop();
    }

    std::function<void()> pause;
    std::function<void()> resume;
    std::function<void()> stop;
};

} // namespace torsion::test
