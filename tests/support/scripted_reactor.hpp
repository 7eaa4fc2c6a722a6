#pragma once

#include <reactor/core/reactor_core.hpp>
#include <reactor/failure.hpp>
#include <reactor/random.hpp>

#include "support/scripted_attempts.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace torsion::test {

/// A resolver that the test answers for.
class ScriptedResolver final : public Resolver {
public:
    struct Query {
        std::string host;
        std::uint16_t port = 0;
        AddressFamily family = AddressFamily::Any;
        Callback callback{}; ///< empty once answered or abandoned

        bool pending() const { return static_cast<bool>(callback); }
        void answer(std::vector<Address> addresses, const Failure& failure = {}) {
            Callback answered = std::move(callback);
            answered(std::move(addresses), failure);
        }
    };

    std::unique_ptr<Lookup> resolve(const std::string& host, std::uint16_t port, AddressFamily family,
                                    Callback callback) override {
        queries.push_back(std::make_shared<Query>(Query{host, port, family, std::move(callback)}));
        return std::make_unique<Handle>(queries.back());
    }

    std::vector<std::shared_ptr<Query>> queries;

private:
    struct Handle final : Lookup {
        explicit Handle(std::shared_ptr<Query> itsQuery) : query(std::move(itsQuery)) {}
        ~Handle() override { query->callback.reset(); }
        std::shared_ptr<Query> query;
    };
};

/// The core without a backend: time passes, attempts and look-ups end when the test says so.
class ScriptedReactor : public core::ReactorCore {
public:
    ScriptedReactor() : ReactorCore([] {}, std::make_unique<SeededRandom>(1)) {
        auto resolver = std::make_unique<ScriptedResolver>();
        resolver_ = std::move(resolver);
    }
    ~ScriptedReactor() override { endEverything(); }

    /// One turn.
    void step() {
        beforePoll();
        afterPoll();
    }
    void advance(Duration span) {
        time_ += span;
        step();
    }

    ScriptedResolver::Query& query(std::size_t index) {
        return *static_cast<ScriptedResolver&>(*resolver_).queries.at(index);
    }
    std::size_t queryCount() const { return static_cast<ScriptedResolver&>(*resolver_).queries.size(); }

    ScriptedAttempts attempts;

    std::unique_ptr<core::Connecting> beginConnecting(const Address& address, const core::ConnectSpec& spec,
                                                      core::ConnectEvents& events) override {
        if (spec.configureSocket)
            (*spec.configureSocket)(-1);
        return attempts.begin(address, spec.local, events);
    }
    std::unique_ptr<core::Acceptor> openAcceptor(const core::ListenSpec&, core::AcceptEvents&) override {
        throw std::logic_error("a ScriptedReactor does not listen");
    }
    Random& secureRandom() override { return random(); }
    std::chrono::system_clock::time_point wall() const override { return {}; }

private:
    static constexpr int kMaxTurns = 1000;

    void runTurns() override {
        for (int i = 0; i < kMaxTurns && !leaving(); ++i)
            step();
    }
    void runOneTurn(Duration) override { step(); }
    void interrupt() noexcept override {}
    TimePoint readClock() const noexcept override { return time_; }
    void touched() noexcept override {}

    TimePoint time_{};
};

} // namespace torsion::test
