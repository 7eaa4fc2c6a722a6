#include <reactor/transport.hpp>

#include <reactor/errors.hpp>
#include <reactor/protocol.hpp>

namespace torsion {

namespace {

class NullTransport final : public Transport {
public:
    void flush() override {}
    void loseConnection() override {}
    void abortConnection() override {}
    void abortConnection(const Failure&) override {}
    void loseWriteConnection() override {}
    Address getPeer() const override { return Address::none(); }
    Address getHost() const override { return Address::none(); }
    Reactor& reactor() const override { throw NotConnectedError(); }
    void registerProducer(PushProducer& producer) override { producer.stopProducing(); }
    void registerProducer(PullProducer& producer) override { producer.stopProducing(); }
    void unregisterProducer() override {}
    void pauseProducing() override {}
    void resumeProducing() override {}
    bool hasEndedProducing() const noexcept override { return true; }
    std::size_t bufferedBytes() const noexcept override { return 0; }
    Deferred<void> drained(std::source_location place) override {
        return Deferred<void>::fail(Failure::of<NotConnectedError>(), place);
    }
    void setWriteBufferLimits(const WriteBufferLimits&) override {}
    void setCloseLimits(const CloseLimits&) override {}
    bool isConnected() const noexcept override { return false; }
    bool isDisconnecting() const noexcept override { return true; }
    bool isReading() const noexcept override { return false; }
    void switchProtocol(std::shared_ptr<Protocol>, std::string_view) override {}
    std::uint64_t id() const noexcept override { return 0; }
    std::string describe() const override { return "(not connected)"; }

protected:
    void writeBytes(std::string_view, std::string*) override {}
    void runGuarded(CallableRef<void()> f) override { f(); }
};

} // namespace

void Transport::writeSequence(std::span<const std::string_view> pieces) {
    for (const std::string_view piece : pieces)
        write(piece);
}

void* Transport::query(const void*) noexcept {
    return nullptr;
}

// Never destroyed: protocols may be, after main has returned.
Transport& Transport::null() noexcept {
    static NullTransport& transport = *new NullTransport;
    return transport;
}

} // namespace torsion
