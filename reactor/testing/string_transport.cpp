#include <reactor/testing/string_transport.hpp>

#include <reactor/core/stream_core.hpp>
#include <reactor/protocol.hpp>
#include <reactor/testing/detail/memory_channel.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace torsion::testing {

namespace {

/// Who listens until a protocol is connected: nobody. What comes early is kept for the protocol.
class Nobody final : public Protocol {
public:
    explicit Nobody(std::string& early) : early_(early) {}

    void dataReceived(std::string_view data) override { early_.append(data); }
    void readConnectionLost() override {}
    std::string logPrefix() const override { return "StringTransport"; }

private:
    std::string& early_;
};

/// A copy of the stream's link to its producer, to be looked at.
class ProducerRecord final : public ProducerSlot {
private:
    void producerDestroyed() override {}
};

} // namespace

/// Both ends of the connection: ours, with the stream on it, and the peer's, which keeps what it reads.
struct StringTransport::Ends final : core::StreamOwner {
    core::StreamCore* stream = nullptr; // owns itself, until onStreamLost
    std::shared_ptr<detail::MemoryLink> link = std::make_shared<detail::MemoryLink>();
    core::ChannelPtr far;
    ProducerRecord producer;
    Failure reason;
    std::string value;
    std::string early; // received before there was a protocol
    bool sawEnd = false;
    bool sawReset = false;

    void onStreamLost(core::StreamCore&, const Failure& why) override {
        stream = nullptr;
        reason = why;
        producer.release();
    }

    /// The peer reads all there is.
    void drain() {
        using Kind = core::ReceiveResult::Kind;
        while (far) {
            const core::ReceiveResult result = far->receive();
            if (result.kind == Kind::Nothing)
                return;
            if (result.kind == Kind::Data) {
                value.append(result.data);
                continue;
            }
            (result.kind == Kind::End ? sawEnd : sawReset) = true;
            return;
        }
    }

    std::optional<std::size_t>& capacity() { return link->capacity[0]; }
};

StringTransport::StringTransport(const Address& peer, const Address& host, const StreamOptions& options)
    : peer_(peer), host_(host), memory_(std::make_unique<MemoryReactor>()), ends_(std::make_unique<Ends>()) {
    ends_->capacity() = MemoryLimits::kUnlimited;
    ends_->link->capacity[1] = MemoryLimits::kUnlimited;
    core::ChannelPtr near(new detail::MemoryChannel(memory_->host(), ends_->link, 0, host_, options));
    // The peer is not on the reactor: it moves when a test moves it, and no fault or limit is meant for it.
    auto elsewhere = std::make_shared<detail::MemoryHost>(std::make_shared<MemoryNetwork>());
    ends_->far.reset(new detail::MemoryChannel(std::move(elsewhere), ends_->link, 1, peer_, options));
    ends_->stream = new core::StreamCore(memory_->turn(), *memory_, *ends_, std::move(near), options, peer_, nullptr,
                                         std::make_shared<Nobody>(ends_->early));
    ends_->stream->start();
}

StringTransport::~StringTransport() {
    memory_.reset();
}

Transport& StringTransport::stream() const noexcept {
    if (ends_->stream)
        return *ends_->stream;
    return Transport::null();
}

void StringTransport::connect(std::shared_ptr<Protocol> protocol) {
    switchProtocol(std::move(protocol), std::exchange(ends_->early, {}));
    settle();
}

void StringTransport::switchProtocol(std::shared_ptr<Protocol> next, std::string_view unparsed) {
    stream().switchProtocol(std::move(next), unparsed);
}

const std::string& StringTransport::value() {
    stream().flush();
    ends_->drain();
    return ends_->value;
}

void StringTransport::clear() {
    value();
    ends_->value.clear();
    settle();
}

// A peer answers the end of the connection with its own; not that of a direction alone.
void StringTransport::settle() {
    memory_->settle();
    if (!ends_->stream || !isDisconnecting() || !ends_->link->pipes[0].finished || !ends_->far)
        return;
    ends_->far->shutdownWrite();
    memory_->settle();
}

bool StringTransport::aborted() {
    settle();
    ends_->drain();
    return ends_->sawReset;
}

bool StringTransport::writeEnded() {
    settle();
    ends_->drain();
    return ends_->sawEnd;
}

Producer* StringTransport::producer() const noexcept {
    return ends_->producer.producer();
}

bool StringTransport::isStreaming() const noexcept {
    return ends_->producer.push() != nullptr;
}

ProducerState StringTransport::producerState() const noexcept {
    if (isDisconnecting())
        return ProducerState::Stopped;
    return isReading() ? ProducerState::Producing : ProducerState::Paused;
}

std::uint64_t StringTransport::droppedBytes() const {
    return memory_->stats().droppedBytes;
}

const Failure& StringTransport::reason() const noexcept {
    return ends_->reason;
}

void StringTransport::receive(std::string_view data) {
    const std::array<std::string_view, 1> pieces{data};
    if (ends_->far)
        ends_->far->trySend(pieces);
    settle();
}

void StringTransport::receiveEnd() {
    if (ends_->far)
        ends_->far->shutdownWrite();
    settle();
}

void StringTransport::receiveReset() {
    ends_->drain();
    if (ends_->far)
        ends_->far.release()->close(core::CloseMode::Reset);
    settle();
}

void StringTransport::setRoom(std::size_t bytes) {
    ends_->drain();
    ends_->capacity() = bytes;
    if (detail::MemoryChannel* near = ends_->link->ends[0])
        near->changed();
    settle();
}

void StringTransport::flush() {
    stream().flush();
}
void StringTransport::writeSequence(std::span<const std::string_view> pieces) {
    stream().writeSequence(pieces);
}
void StringTransport::loseConnection() {
    stream().loseConnection();
}
void StringTransport::abortConnection() {
    stream().abortConnection();
}
void StringTransport::abortConnection(const Failure& reason) {
    stream().abortConnection(reason);
}
void StringTransport::loseWriteConnection() {
    stream().loseWriteConnection();
}

void StringTransport::registerProducer(PushProducer& producer) {
    stream().registerProducer(producer); // throws when there is one
    if (!isDisconnecting())
        ends_->producer.hold(producer);
}

void StringTransport::registerProducer(PullProducer& producer) {
    stream().registerProducer(producer);
    if (!isDisconnecting())
        ends_->producer.hold(producer);
}

void StringTransport::unregisterProducer() {
    ends_->producer.release();
    stream().unregisterProducer();
}

void StringTransport::pauseProducing() {
    stream().pauseProducing();
}
void StringTransport::resumeProducing() {
    stream().resumeProducing();
}
std::size_t StringTransport::bufferedBytes() const noexcept {
    return stream().bufferedBytes();
}
Deferred<void> StringTransport::drained(std::source_location place) {
    return stream().drained(place);
}
void StringTransport::setWriteBufferLimits(const WriteBufferLimits& limits) {
    stream().setWriteBufferLimits(limits);
}
void StringTransport::setCloseLimits(const CloseLimits& limits) {
    stream().setCloseLimits(limits);
}
bool StringTransport::isConnected() const noexcept {
    return stream().isConnected();
}
bool StringTransport::isDisconnecting() const noexcept {
    return !ends_->stream || stream().isDisconnecting();
}
bool StringTransport::isReading() const noexcept {
    return stream().isReading();
}
std::uint64_t StringTransport::id() const noexcept {
    return stream().id();
}
std::string StringTransport::describe() const {
    return stream().describe();
}

void StringTransport::writeBytes(std::string_view data, std::string* movable) {
    if (movable) {
        stream().write(std::move(*movable));
    } else {
        stream().write(data);
    }
}

void StringTransport::runGuarded(CallableRef<void()> f) {
    stream().guarded(f);
}

void* StringTransport::query(const void* kind) noexcept {
    auto* near = ends_->link->ends[0];
    return near ? near->query(kind) : nullptr;
}

} // namespace torsion::testing
