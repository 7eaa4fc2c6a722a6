#pragma once

#include <reactor/address.hpp>
#include <reactor/deferred.hpp>
#include <reactor/delayed_call.hpp>
#include <reactor/failure.hpp>
#include <reactor/function.hpp>
#include <reactor/producer.hpp>
#include <reactor/protocol.hpp>
#include <reactor/stream.hpp>

#include <cstddef>
#include <optional>
#include <source_location>
#include <string>
#include <string_view>
#include <vector>

namespace torsion::detail {

/// Bytes received and not read yet. Keeps no memory while it is empty.
class InputBuffer {
public:
    std::string_view view() const noexcept { return std::string_view(bytes_).substr(begin_); }
    std::size_t size() const noexcept { return bytes_.size() - begin_; }

    void append(std::string_view data);
    std::string take(std::size_t size);
    void drop(std::size_t size) noexcept;
    void clear() noexcept;

private:
    std::string bytes_;
    std::size_t begin_ = 0; // what is before was taken
};

/// What a read asks for.
struct ReadRequest {
    enum class Kind { Until, Exactly, Some, All };

    Kind kind;
    std::size_t count; // bytes: the most that it takes, or (Exactly) the only number
    std::string delimiter{};
    std::size_t searched = 0; // from the beginning on no delimiter begins before this
};

/// The protocol behind a Stream, shared by that and the transport. It is the producer of what it writes, to be told
/// when to stop and to go on.
class StreamProtocol final : public Protocol, public PushProducer {
public:
    using Place = std::source_location;

    ~StreamProtocol() override;

    Deferred<std::string> read(ReadRequest request, Place place);
    Deferred<void> write(std::string_view data, std::string* movable, Place place);
    Deferred<void> writeAll(std::string_view data, Place place);
    Deferred<void> drain(Place place);
    void shutdownWrite();

    /// Begins an orderly close.
    void end();
    Deferred<void> close(Place place);

    Address getPeer() const { return lost_ ? peer_ : transport->getPeer(); }
    Address getHost() const { return lost_ ? host_ : transport->getHost(); }
    Reactor& reactor() const noexcept { return *reactor_; }

    void setLimits(const StreamLimits& limits);
    const StreamLimits& limits() const noexcept { return limits_; }

    /// Whether the peer has ended its direction, or the connection is lost.
    bool hasEnded() const noexcept { return peerEnded_; }

    /// Called by connectionMade.
    Function<void()> onMade;

    // Protocol
    void connectionMade() override;
    void dataReceived(std::string_view data) override;
    void readConnectionLost() override;
    void writeConnectionLost() override;
    void connectionLost(const Failure& reason) override;
    std::string logPrefix() const override { return "Stream"; }

    // PushProducer
    void pauseProducing() override { blocked_ = true; }
    void resumeProducing() override;
    void stopProducing() override {}

private:
    struct PendingRead {
        ReadRequest request;
        Promise<std::string> promise;
    };
    using Outcome = std::optional<Result<std::string>>;

    Outcome attempt(ReadRequest& request);
    Outcome attemptUntil(ReadRequest& request);
    Outcome attemptAll(const ReadRequest& request);
    Outcome ended(const char* what) const;
    bool endedInOrder() const;
    void serveRead();
    void updateReading();
    Failure outputFailure() const;
    void requireNoWrite() const;
    void settleWrite(const Failure& failure);

    InputBuffer input_;
    StreamLimits limits_;
    std::optional<PendingRead> reading_;
    std::optional<Promise<void>> writing_;
    ScopedCall nextTurn_;        // lets such a write go on that waits for a turn alone
    std::size_t readyBytes_ = 0; // written since a write has waited
    std::vector<Promise<void>> closing_;
    Failure inputEnd_;        // why no more comes in
    Failure lost_;            // why the connection is gone
    bool paused_ = false;     // the transport's reading
    bool blocked_ = false;    // more than the high-water mark waits
    bool writeEnded_ = false; // by shutdownWrite or close
    bool closed_ = false;     // by us
    bool peerEnded_ = false;  // or the connection is lost
    Reactor* reactor_ = nullptr;
    Address peer_;
    Address host_;
};

} // namespace torsion::detail
