#include <reactor/testing/detail/memory_channel.hpp>

#include <reactor/core/stream_options.hpp>
#include <reactor/testing/detail/port_table.hpp>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace torsion::testing::detail {

namespace {

// Bytes of a pipe that were received are dropped when there are this many.
constexpr std::size_t kCompactAt = 64 * 1024;

bool wouldBlock(int error) {
    return error == EAGAIN || error == EWOULDBLOCK;
}

} // namespace

void BytePipe::consume(std::size_t count) {
    begin_ += count;
    if (begin_ == bytes_.size()) {
        bytes_.clear();
        begin_ = 0;
    } else if (begin_ >= kCompactAt) {
        bytes_.erase(0, begin_);
        begin_ = 0;
    }
}

MemoryChannel::MemoryChannel(std::shared_ptr<MemoryHost> home, std::shared_ptr<MemoryLink> link, int side,
                             const Address& local, const StreamOptions& options)
    : MemoryReady(std::move(home)), link_(std::move(link)), local_(local), side_(side), noDelay_(options.noDelay),
      keepAlive_(options.keepAlive.has_value()) {
    link_->ends[static_cast<std::size_t>(side_)] = this;
}

std::size_t MemoryChannel::capacity() const noexcept {
    return link_->capacity[side_].value_or(home_->network->limits().capacity);
}

std::size_t MemoryChannel::room() const noexcept {
    return capacity() - std::min(capacity(), out().size());
}

void MemoryChannel::changed() noexcept {
    if (!events_)
        return; // not accepted yet
    const bool wanted = (reading_ && canReceive()) || (!reading_ && error_ != 0) || (writing_ && canSend());
    if (wanted)
        markReady();
}

// The order of a socket's events: an error hides that one could write.
void MemoryChannel::onReady() {
    if (!reading_ && error_ != 0) {
        events_->onBroken(std::exchange(error_, 0));
    } else {
        if (writing_ && error_ == 0 && canSend()) {
            writing_ = false;
            events_->onWritable();
        }
        if (reading_ && canReceive())
            events_->onReadable();
    }
    changed(); // one event a turn; what is left comes in the next
}

void MemoryChannel::attach(core::ChannelEvents& events) {
    events_ = &events;
    changed();
}

core::ReceiveResult MemoryChannel::receive() {
    using Kind = core::ReceiveResult::Kind;
    if (const int error = home_->faults.next(Operation::Receive); error != 0) {
        return wouldBlock(error) ? core::ReceiveResult{} : core::ReceiveResult{.kind = Kind::Error, .error = error};
    }
    BytePipe& pipe = in();
    if (pipe.size() != 0) {
        MemoryNetwork& network = *home_->network;
        const std::size_t count = network.cut(pipe.size(), network.limits().maxReceive);
        home_->readBuffer.assign(pipe.view().substr(0, count));
        pipe.consume(count);
        if (MemoryChannel* other = peer())
            other->changed();
        return {.kind = Kind::Data, .data = home_->readBuffer};
    }
    if (error_ != 0)
        return {.kind = Kind::Error, .error = std::exchange(error_, 0)};
    return pipe.finished || reset_ ? core::ReceiveResult{.kind = Kind::End} : core::ReceiveResult{};
}

core::SendResult MemoryChannel::trySend(std::span<const std::string_view> buffers) {
    if (const int error = home_->faults.next(Operation::Send); error != 0) {
        return wouldBlock(error) ? core::SendResult{} : core::SendResult{.error = error};
    }
    if (error_ != 0)
        return {.error = std::exchange(error_, 0)};
    if (reset_ || out().finished)
        return {.error = EPIPE};
    std::size_t offered = 0;
    for (const std::string_view buffer : buffers)
        offered += buffer.size();
    if (!peer()) { // the kernel takes it; what comes back is a reset
        resetBy(EPIPE);
        return {.sent = offered};
    }
    const std::size_t possible = std::min(offered, room());
    if (possible == 0)
        return {};
    const std::size_t taken = home_->network->cut(possible, home_->network->limits().maxSend);
    std::size_t left = taken;
    for (const std::string_view buffer : buffers) {
        const std::string_view part = buffer.substr(0, left);
        out().append(part);
        left -= part.size();
    }
    peer()->changed();
    return {.sent = taken};
}

void MemoryChannel::armWritable() {
    writing_ = true;
    changed();
}

void MemoryChannel::startRead() {
    reading_ = true;
    changed();
}

void MemoryChannel::stopRead() {
    reading_ = false;
    changed();
}

void MemoryChannel::shutdownWrite() {
    if (reset_)
        return;
    out().finished = true;
    if (MemoryChannel* other = peer())
        other->changed();
}

std::size_t MemoryChannel::unacknowledged() const {
    return peer() ? out().size() - std::min(out().size(), window()) : 0;
}

void MemoryChannel::resetBy(int error) noexcept {
    reset_ = true;
    error_ = error;
    changed();
}

// A socket that is closed with unread input resets the connection, and so does an abort; not once both directions have
// ended. The peer's error is EPIPE when it had received our end already, as Linux has it.
void MemoryChannel::end(core::CloseMode mode) {
    const bool over = in().finished && out().finished;
    const bool reset = !over && !reset_ && (mode == core::CloseMode::Reset || in().size() != 0);
    link_->ends[static_cast<std::size_t>(side_)] = nullptr;
    if (MemoryChannel* other = peer()) {
        if (reset) {
            out().keepFirst(window());
            other->resetBy(out().finished ? EPIPE : ECONNRESET);
        } else {
            out().finished = true;
            other->changed();
        }
    }
    if (ports_)
        ports_->release(local_);
}

void MemoryChannel::setTcpKeepAlive(std::optional<KeepAlive> times) {
    if (times)
        core::checkKeepAlive(*times);
    keepAlive_ = times.has_value();
}

void MemoryChannel::setTcpUserTimeout(std::chrono::milliseconds timeout) {
    core::checkUserTimeout(timeout);
}

void* MemoryChannel::query(const void* kind) noexcept {
    return kind == &TcpTransport::kKind ? static_cast<TcpTransport*>(this) : nullptr;
}

} // namespace torsion::testing::detail
