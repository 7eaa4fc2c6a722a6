#pragma once

#include "embedding/suite.hpp"
#include "support/hooked_protocol.hpp"
#include "support/hosted.hpp"

#include <reactor/delayed_call.hpp>
#include <reactor/reactor.hpp>

#include <chrono>
#include <memory>
#include <vector>

// What keeps a reactor busy.

namespace torsion::test {

/// So many connections whose ends never stop writing to each other.
inline std::vector<std::unique_ptr<HostPair>> makeBusy(HostScene& scene, int count) {
    std::vector<std::unique_ptr<HostPair>> pairs;
    for (int i = 0; i < count; ++i) {
        pairs.push_back(std::make_unique<HostPair>(scene, echoing(), echoing()));
        pairs.back()->client->transport->write("x");
    }
    return pairs;
}

/// Calls itself until it goes.
struct Restless {
    explicit Restless(Reactor& itsReactor) : reactor(itsReactor) { again(); }
    ~Restless() { call.cancel(); }
    void again() {
        call = reactor.callLater(std::chrono::milliseconds(0), [this] {
            ++calls;
            again();
        });
    }
    Reactor& reactor;
    DelayedCall call;
    int calls = 0;
};

} // namespace torsion::test
