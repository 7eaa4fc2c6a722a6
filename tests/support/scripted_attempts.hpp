#pragma once

#include <reactor/core/channel.hpp>
#include <reactor/failure.hpp>

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace torsion::test {

/// A connection without a network: what became of it, for the test to see.
struct ScriptedConnection {
    bool closed = false;
    core::CloseMode mode = core::CloseMode::Orderly;
};

/// The channel of a ScriptedConnection: takes every byte and brings none.
class ScriptedChannel final : public core::Channel {
public:
    explicit ScriptedChannel(std::shared_ptr<ScriptedConnection> connection) : connection_(std::move(connection)) {}

    void attach(core::ChannelEvents&) override {}
    core::ReceiveResult receive() override { return {}; }
    core::SendResult trySend(std::span<const std::string_view> buffers) override {
        std::size_t size = 0;
        for (const std::string_view each : buffers)
            size += each.size();
        return {.sent = size};
    }
    void armWritable() override {}
    void startRead() override {}
    void stopRead() override {}
    void shutdownWrite() override {}
    std::size_t unacknowledged() const override { return 0; }
    void end(core::CloseMode mode) override {
        connection_->closed = true;
        connection_->mode = mode;
    }
    Address host() const override { return Address::ipv4("127.0.0.1", 40000); }
    void* query(const void*) noexcept override { return nullptr; }

private:
    std::shared_ptr<ScriptedConnection> connection_;
};

/// One attempt to connect, which the test decides.
struct ScriptedAttempt {
    Address address;
    Address local;
    core::ConnectEvents* events = nullptr; ///< null once decided or abandoned
    std::shared_ptr<ScriptedConnection> connection = std::make_shared<ScriptedConnection>();

    bool pending() const { return events != nullptr; }

    void succeed() { std::exchange(events, nullptr)->onConnected(core::ChannelPtr(new ScriptedChannel(connection))); }
    void fail(const Failure& failure) { std::exchange(events, nullptr)->onConnectFailed(failure); }
};

/// The attempts that were begun, in order.
class ScriptedAttempts {
public:
    std::unique_ptr<core::Connecting> begin(const Address& address, const Address& local, core::ConnectEvents& events) {
        all_.push_back(std::make_shared<ScriptedAttempt>(ScriptedAttempt{address, local, &events}));
        return std::make_unique<Handle>(all_.back());
    }

    std::size_t size() const { return all_.size(); }
    ScriptedAttempt& operator[](std::size_t index) { return *all_.at(index); }

private:
    struct Handle final : core::Connecting {
        explicit Handle(std::shared_ptr<ScriptedAttempt> itsAttempt) : attempt(std::move(itsAttempt)) {}
        ~Handle() override { attempt->events = nullptr; }
        std::shared_ptr<ScriptedAttempt> attempt;
    };

    std::vector<std::shared_ptr<ScriptedAttempt>> all_;
};

} // namespace torsion::test
