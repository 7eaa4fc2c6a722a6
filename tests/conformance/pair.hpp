#pragma once

#include "conformance/driver.hpp"

#include <reactor/connector.hpp>
#include <reactor/factory.hpp>
#include <reactor/failure.hpp>
#include <reactor/listening_port.hpp>
#include <reactor/options.hpp>
#include <reactor/protocol.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace torsion::test {

/// What happened, in order, on all sides that share it: "server made", "client lost ConnectionDone", …
class EventLog {
public:
    void add(std::string event) { events_.push_back(std::move(event)); }
    const std::vector<std::string>& events() const noexcept { return events_; }
    std::size_t count(std::string_view event) const;

    /// Where `event` happened first; the number of events when it did not.
    std::size_t position(std::string_view event) const;

    /// Both happened, `first` before `second`.
    bool inOrder(std::string_view first, std::string_view second) const;

private:
    std::vector<std::string> events_;
};

/// A protocol that notes what it hears, and does what the case tells it.
class RecordingProtocol : public Protocol {
public:
    RecordingProtocol(std::string name, std::shared_ptr<EventLog> log) : name_(std::move(name)), log_(std::move(log)) {}

    /// @name Called inside the callbacks; may throw
    /// @{
    std::function<void()> onMade;
    std::function<void(std::string_view)> onData;
    std::function<void()> onReadLost;
    std::function<void()> onWriteLost;
    std::function<void(const Failure&)> onLost;
    /// @}

    /// Whether readConnectionLost leaves the connection open; as Protocol has it, it closes.
    bool halfCloseable = false;

    std::string received;
    std::size_t receivedBytes = 0; ///< also when `keep` is false
    bool keep = true;              ///< what was received
    bool made = false;
    bool readLost = false;
    bool writeLost = false;
    int lostCount = 0;
    Failure reason; ///< connectionLost's

    bool lost() const noexcept { return lostCount != 0; }

    /// Does nothing but record from now on.
    void forgetOrders();

    void connectionMade() override;
    void dataReceived(std::string_view data) override;
    void readConnectionLost() override;
    void writeConnectionLost() override;
    void connectionLost(const Failure& why) override;
    std::string logPrefix() const override { return "Recording" + name_; }

private:
    std::string name_;
    std::shared_ptr<EventLog> log_;
};

/// A client factory that notes what it hears as "factory started", "factory lost ConnectionDone", … and gives out the
/// protocol it was made with, once.
class RecordingClientFactory : public ClientFactory {
public:
    RecordingClientFactory(std::shared_ptr<Protocol> protocol, std::shared_ptr<EventLog> log)
        : protocol_(std::move(protocol)), log_(std::move(log)) {}

    Failure failed; ///< clientConnectionFailed's
    Failure lost;   ///< clientConnectionLost's

    std::shared_ptr<Protocol> buildProtocol(const Address&) override { return std::exchange(protocol_, nullptr); }
    void startFactory() override { log_->add("factory started"); }
    void stopFactory() override { log_->add("factory stopped"); }
    void startedConnecting(const std::shared_ptr<Connector>&) override { log_->add("factory connecting"); }
    void clientConnectionFailed(const std::shared_ptr<Connector>&, const Failure& reason) override;
    void clientConnectionLost(const std::shared_ptr<Connector>&, const Failure& reason) override;

private:
    std::shared_ptr<Protocol> protocol_;
    std::shared_ptr<EventLog> log_;
};

/// How a Pair is made.
struct PairOptions {
    StreamOptions server{};
    StreamOptions client{};
};

/// A server and a client, connected to each other on one reactor.
///
/// The protocols can be told what to do before `connect()`; `Pair(driver)` connects them at once. When the pair goes,
/// what the case told them is forgotten: they may outlive it, as long as their connection.
class Pair {
public:
    struct Later {};
    static constexpr Later kLater{};

    Pair(Driver& driver, Later, const PairOptions& options = {});
    explicit Pair(Driver& driver, const PairOptions& options = {});
    Pair(const Pair&) = delete;
    Pair& operator=(const Pair&) = delete;
    ~Pair();

    /// Listens, connects, and runs until both have made their connection.
    void connect();

    /// As above, but runs nothing.
    void beginConnecting();

    /// Runs until both have lost it.
    void runUntilLost();

    Transport& serverTransport() const noexcept { return *server->transport; }
    Transport& clientTransport() const noexcept { return *client->transport; }

    const std::shared_ptr<EventLog> events = std::make_shared<EventLog>();
    EventLog& log = *events;
    std::shared_ptr<RecordingProtocol> server = std::make_shared<RecordingProtocol>("server", events);
    std::shared_ptr<RecordingProtocol> client = std::make_shared<RecordingProtocol>("client", events);
    std::shared_ptr<RecordingClientFactory> factory;
    std::shared_ptr<ListeningPort> port;
    std::shared_ptr<Connector> connector;

private:
    Driver& driver_;
    PairOptions options_;
};

/// `size` bytes that differ from place to place, so that lost or swapped ones are noticed.
std::string pattern(std::size_t size);

/// The peer stops reading, and `writer` fills the way to it until the transport has to buffer: nothing more goes out
/// until the peer reads.
/// @returns bytes written.
std::size_t fillOutput(Driver& driver, Transport& writer, Transport& reader);

} // namespace torsion::test
