#include "conformance/pair.hpp"

#include "support/kernel_buffers.hpp"

#include <algorithm>
#include <cstdint>
#include <utility>

namespace torsion::test {

std::size_t EventLog::count(std::string_view event) const {
    return static_cast<std::size_t>(std::count(events_.begin(), events_.end(), event));
}

std::size_t EventLog::position(std::string_view event) const {
    return static_cast<std::size_t>(std::find(events_.begin(), events_.end(), event) - events_.begin());
}

bool EventLog::inOrder(std::string_view first, std::string_view second) const {
    return position(first) < position(second) && position(second) < events_.size();
}

void RecordingProtocol::connectionMade() {
    log_->add(name_ + " made");
    made = true;
    if (onMade)
        onMade();
}

void RecordingProtocol::dataReceived(std::string_view data) {
    receivedBytes += data.size();
    if (keep)
        received.append(data);
    if (onData)
        onData(data);
}

void RecordingProtocol::readConnectionLost() {
    log_->add(name_ + " read lost");
    readLost = true;
    if (onReadLost)
        onReadLost();
    if (!halfCloseable)
        Protocol::readConnectionLost();
}

void RecordingProtocol::writeConnectionLost() {
    log_->add(name_ + " write lost");
    writeLost = true;
    if (onWriteLost)
        onWriteLost();
}

void RecordingProtocol::connectionLost(const Failure& why) {
    log_->add(name_ + " lost " + why.name());
    ++lostCount;
    reason = why;
    if (onLost)
        onLost(why);
}

void RecordingProtocol::forgetOrders() {
    onMade = nullptr;
    onData = nullptr;
    onReadLost = nullptr;
    onWriteLost = nullptr;
    onLost = nullptr;
}

void RecordingClientFactory::clientConnectionFailed(const std::shared_ptr<Connector>&, const Failure& reason) {
    log_->add("factory failed " + reason.name());
    failed = reason;
}

void RecordingClientFactory::clientConnectionLost(const std::shared_ptr<Connector>&, const Failure& reason) {
    log_->add("factory lost " + reason.name());
    lost = reason;
}

Pair::Pair(Driver& driver, Later, const PairOptions& options) : driver_(driver), options_(options) {}

Pair::Pair(Driver& driver, const PairOptions& options) : Pair(driver, kLater, options) {
    connect();
}

Pair::~Pair() {
    if (server)
        server->forgetOrders();
    if (client)
        client->forgetOrders();
}

void Pair::beginConnecting() {
    Reactor& reactor = driver_.reactor();
    std::weak_ptr<RecordingProtocol> weak = server; // no one holds it longer than the connection and the pair
    auto serverFactory =
        Factory::fromFunction([weak](const Address&) -> std::shared_ptr<Protocol> { return weak.lock(); });
    serverFactory->noisy = false;
    port = reactor.listenTCP(
        0, serverFactory,
        {.interface = driver_.loopback(), .stream = options_.server, .configureSocket = limitKernelBuffers});
    factory = std::make_shared<RecordingClientFactory>(client, events);
    factory->noisy = false;
    connector = reactor.connectTCP(driver_.loopback(), port->getHost().port(), factory,
                                   {.stream = options_.client, .configureSocket = limitKernelBuffers});
}

void Pair::connect() {
    beginConnecting();
    driver_.runUntil([&] { return server->made && client->made; });
}

void Pair::runUntilLost() {
    driver_.runUntil([&] { return server->lost() && client->lost(); });
}

std::string pattern(std::size_t size) {
    std::string result(size, '\0');
    std::uint32_t state = 1;
    for (char& byte : result) {
        state = state * 1664525U + 1013904223U;
        byte = static_cast<char>(state >> 24U);
    }
    return result;
}

std::size_t fillOutput(Driver& driver, Transport& writer, Transport& reader) {
    constexpr std::size_t kStep = 256 * 1024;
    constexpr int kMaxSteps = 2 * kMoreThanKernelsKeep / static_cast<int>(kStep);
    reader.pauseProducing();
    const std::string block = pattern(kStep);
    std::size_t written = 0;
    for (int i = 0; i < kMaxSteps; ++i) {
        writer.write(block);
        written += block.size();
        driver.turns(4);
        const std::size_t waiting = writer.bufferedBytes();
        driver.turns(4);
        if (waiting >= kStep && writer.bufferedBytes() == waiting)
            return written;
    }
    FAIL("the way to a peer that does not read is never full");
    return written;
}

} // namespace torsion::test
