#pragma once

#include <reactor/connector.hpp>
#include <reactor/factory.hpp>
#include <reactor/failure.hpp>
#include <reactor/protocol.hpp>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace torsion::test {

/// What a HookedProtocol heard; outlives it.
struct Record {
    int made = 0;
    int readLost = 0;
    int writeLost = 0;
    int lost = 0;
    int late = 0; ///< callbacks after connectionLost
    std::string received;
    Failure reason;
};

class HookedProtocol;
class HookedFactory;

/// What a HookedProtocol does in its callbacks.
struct ProtocolHooks {
    using Hook = std::function<void(HookedProtocol&)>;
    Hook made{};
    Hook data{};
    Hook readLost{}; ///< empty: closes, as a Protocol does
    Hook writeLost{};
    Hook lost{};
};

/// What a HookedFactory does in its callbacks.
struct FactoryHooks {
    using Hook = std::function<void(HookedFactory&)>;
    using ConnectorHook = std::function<void(HookedFactory&, Connector&)>;
    std::function<std::shared_ptr<Protocol>()> build{}; ///< empty: a HookedProtocol
    Hook start{};
    Hook stop{};
    ConnectorHook connecting{};
    ConnectorHook failed{};
    ConnectorHook lost{};
};

/// A protocol that records what it hears and then does what the test says.
class HookedProtocol : public Protocol {
public:
    using Hook = ProtocolHooks::Hook;
    using Hooks = ProtocolHooks;

    explicit HookedProtocol(Hooks hooks = {}) : hooks_(std::move(hooks)) { ++alive; }
    ~HookedProtocol() override { --alive; }

    void connectionMade() override { note(record->made, hooks_.made); }
    void dataReceived(std::string_view data) override {
        record->received += data;
        int calls = 0;
        note(calls, hooks_.data);
    }
    void readConnectionLost() override {
        const bool closes = !hooks_.readLost;
        note(record->readLost, hooks_.readLost);
        if (closes)
            Protocol::readConnectionLost();
    }
    void writeConnectionLost() override { note(record->writeLost, hooks_.writeLost); }
    void connectionLost(const Failure& reason) override {
        record->reason = reason;
        note(record->lost, hooks_.lost);
    }

    const std::shared_ptr<Record> record = std::make_shared<Record>();

    /// How many there are.
    static inline int alive = 0;

private:
    void note(int& counter, const Hook& hook) {
        if (record->lost != 0)
            ++record->late;
        ++counter;
        const Hook copy = hook; // the test may drop its objects in there
        if (copy)
            copy(*this);
    }

    Hooks hooks_;
};

/// A factory that records what it hears and then does what the test says; builds `HookedProtocol`s unless told else.
class HookedFactory : public ClientFactory {
public:
    using Hooks = FactoryHooks;

    explicit HookedFactory(Hooks hooks = {}) : hooks_(std::move(hooks)) {
        noisy = false;
        ++alive;
    }
    ~HookedFactory() override { --alive; }

    std::shared_ptr<Protocol> buildProtocol(const Address&) override {
        ++built;
        return hooks_.build ? hooks_.build() : std::make_shared<HookedProtocol>();
    }
    void startFactory() override {
        ++started;
        if (hooks_.start)
            hooks_.start(*this);
    }
    void stopFactory() override {
        ++stopped;
        if (hooks_.stop)
            hooks_.stop(*this);
    }
    void startedConnecting(const std::shared_ptr<Connector>& connector) override {
        ++attempts;
        if (hooks_.connecting)
            hooks_.connecting(*this, *connector);
    }
    void clientConnectionFailed(const std::shared_ptr<Connector>& connector, const Failure& failure) override {
        ++failures;
        reason = failure;
        if (hooks_.failed)
            hooks_.failed(*this, *connector);
    }
    void clientConnectionLost(const std::shared_ptr<Connector>& connector, const Failure& failure) override {
        ++losses;
        reason = failure;
        if (hooks_.lost)
            hooks_.lost(*this, *connector);
    }
    std::string logPrefix() const override { return "HookedFactory"; }

    int built = 0;
    int started = 0;
    int stopped = 0;
    int attempts = 0;
    int failures = 0;
    int losses = 0;
    Failure reason; ///< of the last failure or loss

    /// How many there are.
    static inline int alive = 0;

    static std::shared_ptr<HookedFactory> make(Hooks hooks = {}) {
        return std::make_shared<HookedFactory>(std::move(hooks));
    }

    /// One whose first connection gets `protocol`.
    static std::shared_ptr<HookedFactory> of(std::shared_ptr<Protocol> protocol) {
        return make({.build = [kept = std::move(protocol)]() mutable { return std::exchange(kept, nullptr); }});
    }

private:
    Hooks hooks_;
};

} // namespace torsion::test
