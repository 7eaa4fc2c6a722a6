#pragma once

#include <reactor/core/intrusive_list.hpp>
#include <reactor/testing/fault_injector.hpp>
#include <reactor/testing/memory_network.hpp>

#include <memory>
#include <string>
#include <utility>

namespace torsion::testing::detail {

struct ReadyTag;
class MemoryReady;

/// One reactor's part of a network: what its channels, acceptors and attempts share. Held by all of them, so that they
/// may outlive the reactor; what is ready then is never delivered.
struct MemoryHost {
    explicit MemoryHost(std::shared_ptr<MemoryNetwork> itsNetwork) : network(std::move(itsNetwork)) {}

    std::shared_ptr<MemoryNetwork> network;
    FaultInjector faults;
    std::string readBuffer;
    core::IntrusiveList<MemoryReady, ReadyTag> ready;

    /// The poll of a turn: one event for each object that is ready now.
    void deliverReady();
};

/// Something with an event to deliver. In its host's list of ready objects while it waits for its turn.
class MemoryReady : public core::ListHook<ReadyTag> {
public:
    explicit MemoryReady(std::shared_ptr<MemoryHost> home) : home_(std::move(home)) {}

    virtual void onReady() = 0;

    /// Puts it into the list, if it is not there, or in another one, already.
    void markReady() noexcept {
        if (!linked())
            home_->ready.pushBack(*this);
    }

protected:
    ~MemoryReady() = default;

    const std::shared_ptr<MemoryHost> home_;
};

inline void MemoryHost::deliverReady() {
    core::IntrusiveList<MemoryReady, ReadyTag> now;
    now.takeAll(ready);
    while (!now.empty())
        now.popFront().onReady();
}

} // namespace torsion::testing::detail
