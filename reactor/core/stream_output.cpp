// The way out of a stream: cork, queue, back-pressure.
//
//     write ──▶ cork (while one of our callbacks runs) ──▶ one send when it returns ──▶ the kernel
//          └──▶ queue (from elsewhere; or what the kernel did not take) ──▶ flush phase, or writable again ──┘

#include <reactor/core/stream_call.hpp>
#include <reactor/core/stream_core.hpp>
#include <reactor/errors.hpp>
#include <reactor/log.hpp>
#include <reactor/protocol.hpp>

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <stdexcept>
#include <utility>

namespace torsion::core {

namespace {

// From this size on bytes are offered to the kernel where they lie, and only what it leaves is copied.
constexpr std::size_t kLargeWrite = 2048;

// The kernel's, not the connection's: it is writable all the time.
bool isShortage(int error) {
    return error == ENOBUFS || error == ENOMEM;
}

} // namespace

void StreamCore::writeBytes(std::string_view data, std::string* movable) {
    checkThread();
    Cork& cork = turn_.cork;
    if (plain_ && cork.owner == this) [[likely]] {
        if (data.size() < kLargeWrite && cork.append(data)) [[likely]]
            return;
        if (cork.size() == 0 && writePlain(data, movable))
            return;
    }
    writeChecked(data, movable);
}

// Everything but the two short ways: what was written before comes first, and every limit is looked at.
void StreamCore::writeChecked(std::string_view data, std::string* movable) {
    if (!acceptsWrite(data.size()))
        return;
    if (data.size() >= kLargeWrite) {
        writeLarge({&data, 1}, movable);
    } else {
        appendSmall(data);
    }
    checkHighWater();
}

// A large write that nothing waits before goes to the kernel from where it lies. False: it has to be written otherwise.
bool StreamCore::writePlain(std::string_view data, std::string* movable) {
    const SendResult result = channel_->trySend({&data, 1});
    turn_.stats.bytesSent += result.sent;
    if (result.sent == data.size()) [[likely]]
        return true;
    if (!sentPart(result, data.size())) {
        turn_.stats.droppedBytes += data.size() - result.sent;
        return true;
    }
    keepRest(data, result.sent, movable);
    checkHighWater();
    return true;
}

// One gathering send when there is much, as many pieces as it takes.
void StreamCore::writeSequence(std::span<const std::string_view> pieces) {
    checkThread();
    std::size_t total = 0;
    for (const std::string_view piece : pieces)
        total += piece.size();
    if (total == 0 || !acceptsWrite(total))
        return;
    while (!pieces.empty()) {
        if (!acceptsOutput()) { // a send of what came before has failed: nothing may follow the gap
            for (const std::string_view piece : pieces)
                turn_.stats.droppedBytes += piece.size();
            return;
        }
        const auto some = pieces.first(std::min(pieces.size(), WriteQueue::kMaxBuffers - 1));
        if (total >= kLargeWrite) {
            writeLarge(some, nullptr);
        } else {
            for (const std::string_view piece : some)
                appendSmall(piece);
        }
        pieces = pieces.subspan(some.size());
    }
    checkHighWater();
}

void StreamCore::appendSmall(std::string_view data) {
    Cork& cork = turn_.cork;
    if (cork.owner == this) {
        if (cork.append(data))
            return;
        sendCork();
        if (cork.append(data))
            return;
    }
    queueRest(data);
    if (!armed_)
        turn_.markDirty(*this);
}

void StreamCore::queueRest(std::string_view data) {
    if (!acceptsOutput()) {
        turn_.stats.droppedBytes += data.size();
        return;
    }
    queue_.append(turn_.chunks, data);
    turn_.stats.bufferedBytes += data.size();
    plain_ = false;
}

// False: the bytes are dropped, and counted.
bool StreamCore::acceptsWrite(std::size_t bytes) {
    const bool closing = phase_ == Phase::Draining && producer(); // waited for, so it may go on (S-23)
    if (output_ != Output::Open && !(output_ == Output::Ending && producer())) {
        turn_.stats.droppedBytes += bytes;
        return false;
    }
    if (phase_ != Phase::Open && !closing) {
        turn_.stats.droppedBytes += bytes;
        return false;
    }
    if (bufferedBytes() > limits_.hard) {
        abortConnection(Failure::of<WriteLimitError>(
            fmt::format("{} bytes are buffered, more than the limit of {}", bufferedBytes(), limits_.hard)));
        turn_.stats.droppedBytes += bytes;
        return false;
    }
    if (turn_.stats.bufferedBytes > turn_.limits.bufferedBytes && bufferedBytes() > limits_.high) {
        abortConnection(Failure::of<WriteLimitError>(
            fmt::format("{} bytes are buffered for this connection, and {} for all, more than the limit of {}",
                        bufferedBytes(), turn_.stats.bufferedBytes, turn_.limits.bufferedBytes)));
        turn_.stats.droppedBytes += bytes;
        return false;
    }
    return true;
}

// Offers the cork and `pieces` to the kernel where they lie, and keeps what it leaves.
void StreamCore::writeLarge(std::span<const std::string_view> pieces, std::string* movable) {
    Cork& cork = turn_.cork;
    const bool corked = cork.owner == this && cork.size() != 0;
    std::size_t taken = 0; // of the pieces
    if (queue_.empty() && !armed_) {
        std::array<std::string_view, WriteQueue::kMaxBuffers> buffers;
        std::size_t count = 0;
        std::size_t offered = 0;
        if (corked)
            buffers[count++] = cork.view();
        for (const std::string_view piece : pieces)
            buffers[count++] = piece;
        for (std::size_t i = 0; i < count; ++i)
            offered += buffers[i].size();
        const SendResult result = channel_->trySend({buffers.data(), count});
        turn_.stats.bytesSent += result.sent;
        const std::size_t fromCork = corked ? std::min(result.sent, cork.size()) : 0;
        taken = result.sent - fromCork;
        if (fromCork < cork.size() && corked)
            queueRest(cork.view().substr(fromCork));
        if (corked)
            cork.clear();
        if (!sentPart(result, offered)) { // the cork's rest was discarded and counted
            turn_.stats.droppedBytes += offered - (corked ? buffers[0].size() : 0);
            return;
        }
    } else if (corked) {
        sendCork();
    }
    for (const std::string_view piece : pieces) {
        const std::size_t skip = std::min(taken, piece.size());
        taken -= skip;
        if (skip == piece.size())
            continue;
        keepRest(piece, skip, movable);
    }
    if (!queue_.empty() && !armed_)
        turn_.markDirty(*this);
}

// Queues `data` without its first `skip` bytes; a string that is ours is not copied.
void StreamCore::keepRest(std::string_view data, std::size_t skip, std::string* movable) {
    if (!movable || !acceptsOutput())
        return queueRest(data.substr(skip));
    turn_.stats.bufferedBytes += data.size() - skip;
    queue_.appendOwned(turn_.chunks, std::move(*movable), skip);
    plain_ = false;
}

// Hands the cork to the kernel, or to the queue when bytes wait already. It is empty before anything is called that
// could look at it: arming tells a host, who may ask for its time-out.
void StreamCore::sendCork() {
    Cork& cork = turn_.cork;
    if (plain_ || (acceptsOutput() && queue_.empty() && !armed_)) [[likely]] {
        const std::string_view all = cork.view();
        const SendResult result = channel_->trySend({&all, 1});
        turn_.stats.bytesSent += result.sent;
        if (result.sent == all.size()) [[likely]]
            return cork.clear();
        queueRest(all.substr(result.sent));
        cork.clear();
        if (!sentPart(result, all.size()))
            return; // the rest was discarded
    } else {
        queueRest(cork.view());
        cork.clear();
    }
    if (!armed_ && phase_ != Phase::Lost)
        turn_.markDirty(*this);
}

// The callback goes on after it: what it writes then waits for the flush phase.
void TurnCore::releaseCork() {
    if (StreamCore* stream = std::exchange(cork.owner, nullptr)) {
        if (cork.size() == 0)
            return;
        cork.owner = stream; // it looks whose the bytes are
        stream->sendCork();
        cork.owner = nullptr;
    }
}

// After a send that did not take everything. False: it failed, our direction is broken, and all output is discarded.
bool StreamCore::sentPart(SendResult result, std::size_t offered) {
    const bool shortage = isShortage(result.error);
    if (result.error != 0 && !shortage) {
        outputBroke(result.error);
        return false;
    }
    if (result.sent != 0) {
        noteProgress();
        if (rare_)
            rare_->retryDelay = kRetryDelay;
    }
    if (result.sent < offered && !armed_) {
        armed_ = true;
        if (shortage) {
            retryLater();
        } else {
            channel_->armWritable();
        }
        if (phase_ == Phase::Draining) // a producer that is waited for wrote: its bytes may stall too
            awaitOutput();
    }
    return true;
}

void StreamCore::retryLater() {
    Rare& state = rare();
    state.retry = turn_.callLater(state.retryDelay, [this] { onWritable(); });
    state.retryDelay = std::min(state.retryDelay * 2, kMaxRetryDelay);
}

void StreamCore::sendQueue() {
    if (armed_ || queue_.empty())
        return;
    std::array<std::string_view, WriteQueue::kMaxBuffers> views;
    const auto buffers = queue_.gather(views);
    std::size_t offered = 0;
    for (const auto& buffer : buffers)
        offered += buffer.size();
    const SendResult result = channel_->trySend(buffers);
    queue_.consume(turn_.chunks, result.sent);
    turn_.stats.bufferedBytes -= result.sent;
    turn_.stats.bytesSent += result.sent;
    if (!sentPart(result, offered))
        return;
    if (!queue_.empty() && !armed_)
        turn_.markDirty(*this); // more than one send's worth: the rest next time round
    updateWritable();
}

// Writing is over; what was received is still delivered, and the reason is told with the end (S-10).
void StreamCore::outputBroke(int error) {
    output_ = Output::Broken;
    plain_ = false;
    discardOutput();
    rare().outputError = Failure::of<ConnectionLost>(error);
    if (drainAwaited())
        turn_.markDirty(*this);
    if (inputEnded_ || paused_ || phase_ != Phase::Open)
        finish(rare().outputError, CloseMode::Orderly);
    pausePush(); // for good: nothing that it makes would be sent
}

void StreamCore::discardOutput() noexcept {
    Cork& cork = turn_.cork;
    if (cork.owner == this) {
        turn_.stats.droppedBytes += cork.size();
        cork.clear();
    }
    if (queue_.empty())
        return;
    turn_.stats.droppedBytes += queue_.size();
    turn_.stats.bufferedBytes -= queue_.size();
    queue_.clear(turn_.chunks);
}

bool StreamCore::hasOutput() const noexcept {
    return !queue_.empty() || (turn_.cork.owner == this && turn_.cork.size() != 0);
}

std::size_t StreamCore::bufferedBytes() const noexcept {
    return queue_.size() + (turn_.cork.owner == this ? turn_.cork.size() : 0);
}

void StreamCore::flush() {
    checkThread();
    if (phase_ == Phase::Lost)
        return;
    if (turn_.cork.owner == this && turn_.cork.size() != 0)
        sendCork();
    sendQueue();
    if (drainAwaited() && !hasOutput())
        turn_.markDirty(*this); // told in the flush phase
}

void StreamCore::checkHighWater() {
    if (producer() && !push())
        return turn_.markDirty(*this); // a pull producer is asked when this is gone
    if (bufferedBytes() <= limits_.high)
        return;
    flush();
    if (bufferedBytes() > limits_.high)
        pausePush();
}

void StreamCore::onWritable() {
    armed_ = false;
    if (phase_ == Phase::Lost)
        return;
    onFlush();
}

void StreamCore::onFlush() {
    if (phase_ == Phase::Lost)
        return;
    if (inCall_) { // a host's loop runs inside a callback of ours: the rest calls back, and waits
        flushHeld_ = afterCall_ = true;
        return sendQueue();
    }
    if (afterCall_)
        afterCall();
    sendQueue();
    tellDrained();
    serveProducer();
    if (rare_ && !rare_->input.empty())
        settleSwitches();
    advanceClosing();
}

void StreamCore::setWriteBufferLimits(const WriteBufferLimits& limits) {
    checkThread();
    if (limits.low > limits.high || limits.high > limits.hard) {
        throw std::invalid_argument(fmt::format("write buffer limits must be low <= high <= hard, not {}, {}, {}",
                                                limits.low, limits.high, limits.hard));
    }
    limits_ = limits;
    updateWritable();
    if (phase_ != Phase::Lost)
        turn_.markDirty(*this);
}

// The short way of writeBytes: cork only, nothing to check. An unpaused push producer does not stand in its way while
// the whole cork stays below the high-water mark.
void StreamCore::updateWritable() noexcept {
    plain_ = phase_ == Phase::Open && output_ == Output::Open && queue_.empty() && limits_.high >= Cork::kCapacity &&
             (!producer() || push());
}

} // namespace torsion::core
