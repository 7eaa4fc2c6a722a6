#include <reactor/detail/stream_protocol.hpp>

#include <reactor/errors.hpp>
#include <reactor/reactor.hpp>
#include <reactor/transport.hpp>

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace torsion::detail {

namespace {

// Writes that are ready one after the other: after so many bytes one waits for the next turn, or a coroutine that
// writes for ever keeps the reactor from everything else while the kernel takes all of it.
constexpr std::size_t kReadyBytes = 1024 * 1024;
constexpr std::size_t kWriteCost = 256; // a write counts as so many bytes more

} // namespace

void InputBuffer::append(std::string_view data) {
    // What was taken is as much as what has to be moved, at least: each byte moves once or twice in all.
    if (begin_ > bytes_.size() / 2) {
        bytes_.erase(0, begin_);
        begin_ = 0;
    }
    bytes_.append(data);
}

std::string InputBuffer::take(std::size_t size) {
    if (begin_ == 0 && size == bytes_.size())
        return std::exchange(bytes_, {});
    std::string taken = bytes_.substr(begin_, size);
    drop(size);
    return taken;
}

void InputBuffer::drop(std::size_t size) noexcept {
    begin_ += size;
    if (begin_ == bytes_.size())
        clear();
}

void InputBuffer::clear() noexcept {
    bytes_ = {};
    begin_ = 0;
}

// Without a stream and without a transport there is nothing left to wait for. Fired, not dropped: what cancels must not
// find this object later.
StreamProtocol::~StreamProtocol() {
    const Failure gone = Failure::of<ConnectionDone>();
    if (reading_)
        std::exchange(reading_, std::nullopt)->promise.errback(gone);
    settleWrite(gone);
}

void StreamProtocol::connectionMade() {
    reactor_ = &transport->reactor();
    transport->registerProducer(*this);
    if (onMade)
        std::exchange(onMade, nullptr)();
}

// Reading

Deferred<std::string> StreamProtocol::read(ReadRequest request, Place place) {
    if (reading_)
        throw std::logic_error("Stream: there is a read already that waits; one at a time");
    if (Outcome outcome = attempt(request)) {
        updateReading();
        return Deferred<std::string>::ready(std::move(*outcome), place);
    }
    reading_.emplace(PendingRead{std::move(request), Promise<std::string>(place)});
    reading_->promise.onCancel([this] {
        reading_.reset();
        updateReading();
    });
    Deferred<std::string> result = reading_->promise.deferred();
    updateReading();
    return result;
}

// Nothing: it has to wait. Bytes are taken by success alone.
StreamProtocol::Outcome StreamProtocol::attempt(ReadRequest& request) {
    switch (request.kind) {
    case ReadRequest::Kind::Until:
        return attemptUntil(request);
    case ReadRequest::Kind::Exactly:
        if (input_.size() >= request.count)
            return input_.take(request.count);
        return ended("the bytes that were asked for");
    case ReadRequest::Kind::Some:
        if (input_.size() != 0)
            return input_.take(std::min(input_.size(), request.count));
        return endedInOrder() ? Outcome(std::string()) : ended("any byte");
    case ReadRequest::Kind::All:
        return attemptAll(request);
    }
    return {};
}

StreamProtocol::Outcome StreamProtocol::attemptUntil(ReadRequest& request) {
    const std::string_view held = input_.view();
    const std::size_t length = request.delimiter.size();
    const std::size_t found = held.find(request.delimiter, request.searched);
    if (found != std::string_view::npos && found <= request.count) {
        std::string result(held.substr(0, found));
        input_.drop(found + length);
        return result;
    }
    const std::size_t earliest = found != std::string_view::npos ? found
                                 : held.size() < length          ? 0
                                                                 : held.size() - length + 1;
    if (earliest > request.count)
        return Failure::of<ReadLimitError>(fmt::format("No delimiter comes after at most {} bytes.", request.count));
    request.searched = earliest;
    return ended("the delimiter");
}

StreamProtocol::Outcome StreamProtocol::attemptAll(const ReadRequest& request) {
    if (input_.size() > request.count)
        return Failure::of<ReadLimitError>(fmt::format("More than {} bytes have come.", request.count));
    if (endedInOrder())
        return input_.take(input_.size());
    return ended("the end of the input");
}

// The failure of a read that waits for what will not come; nothing while it may.
StreamProtocol::Outcome StreamProtocol::ended(const char* what) const {
    if (!inputEnd_)
        return {};
    if (!endedInOrder())
        return inputEnd_;
    return Failure::of<ConnectionDone>(
        fmt::format("The input ended, with {} bytes left, before {}.", input_.size(), what));
}

bool StreamProtocol::endedInOrder() const {
    return !closed_ && inputEnd_.check<ConnectionDone>();
}

void StreamProtocol::dataReceived(std::string_view data) {
    if (closed_)
        return;
    input_.append(data);
    serveRead();
    updateReading();
}

void StreamProtocol::serveRead() {
    if (!reading_)
        return;
    Outcome outcome = attempt(reading_->request);
    if (!outcome)
        return;
    Promise<std::string> promise = std::move(reading_->promise);
    reading_.reset();
    promise.fire(std::move(*outcome));
}

// A read that waits needs more than is there, within its own limit.
void StreamProtocol::updateReading() {
    const bool enough = !reading_ && input_.size() >= limits_.ahead;
    if (enough == paused_)
        return;
    paused_ = enough;
    if (enough) {
        transport->pauseProducing();
    } else {
        transport->resumeProducing();
    }
}

void StreamProtocol::setLimits(const StreamLimits& limits) {
    if (limits.ahead == 0)
        throw std::invalid_argument("Stream::setLimits: without a byte ahead nothing is read");
    limits_ = limits;
    updateReading();
}

void StreamProtocol::readConnectionLost() {
    peerEnded_ = true;
    if (!inputEnd_)
        inputEnd_ = Failure::of<ConnectionDone>();
    serveRead();
}

// Writing

void StreamProtocol::requireNoWrite() const {
    if (writing_)
        throw std::logic_error("Stream: there is a write already that waits; one at a time");
}

// Why nothing can be written; empty when it can.
Failure StreamProtocol::outputFailure() const {
    if (lost_)
        return lost_;
    if (writeEnded_)
        return Failure::of<ConnectionDone>("Our direction of the stream was closed on this side.");
    return {};
}

Deferred<void> StreamProtocol::write(std::string_view data, std::string* movable, Place place) {
    if (Failure failure = outputFailure())
        return Deferred<void>::fail(std::move(failure), place);
    requireNoWrite();
    const std::size_t size = data.size(); // `data` may lie in `movable`
    if (movable) {
        transport->write(std::move(*movable));
    } else {
        transport->write(data);
    }
    // One that is going already was aborted: the reason comes with the loss.
    if (!blocked_ && !transport->isDisconnecting()) {
        readyBytes_ += size + kWriteCost;
        if (readyBytes_ < kReadyBytes)
            return Deferred<void>::succeed(place);
        nextTurn_ = reactor_->callLater(Duration::zero(), [this] {
            if (!blocked_)
                settleWrite({});
        });
    }
    readyBytes_ = 0;
    writing_.emplace(place);
    writing_->onCancel([this] {
        nextTurn_.cancel();
        writing_.reset();
    });
    return writing_->deferred();
}

Deferred<void> StreamProtocol::writeAll(std::string_view data, Place place) {
    if (Failure failure = outputFailure())
        return Deferred<void>::fail(std::move(failure), place);
    requireNoWrite();
    transport->write(data);
    return drain(place);
}

Deferred<void> StreamProtocol::drain(Place place) {
    return lost_ ? Deferred<void>::fail(lost_, place) : transport->drained(place);
}

void StreamProtocol::resumeProducing() {
    blocked_ = false;
    settleWrite({});
}

// What a write that waits has written will be sent, or the connection is lost: it hears which.
void StreamProtocol::shutdownWrite() {
    if (std::exchange(writeEnded_, true))
        return;
    transport->unregisterProducer();
    transport->loseWriteConnection();
}

void StreamProtocol::writeConnectionLost() {
    settleWrite({});
}

void StreamProtocol::settleWrite(const Failure& failure) {
    if (!writing_)
        return;
    nextTurn_.cancel();
    Promise<void> promise = std::move(*writing_);
    writing_.reset();
    promise.fire(failure ? Result<void>(failure) : Result<void>());
}

// The end

void StreamProtocol::end() {
    if (std::exchange(closed_, true))
        return;
    writeEnded_ = true;
    inputEnd_ = Failure::of<ConnectionDone>("The stream was closed on this side.");
    input_.clear();
    transport->unregisterProducer();
    transport->loseConnection();
    serveRead();
}

Deferred<void> StreamProtocol::close(Place place) {
    end();
    if (lost_)
        return Deferred<void>::ready(lost_.check<ConnectionDone>() ? Result<void>() : Result<void>(lost_), place);
    std::erase_if(closing_, [](const Promise<void>& each) { return each.isFired(); }); // cancelled
    closing_.emplace_back(place);
    return closing_.back().deferred();
}

void StreamProtocol::connectionLost(const Failure& reason) {
    peer_ = transport->getPeer();
    host_ = transport->getHost();
    peerEnded_ = true;
    if (!inputEnd_)
        inputEnd_ = reason;
    lost_ = reason;
    const bool inOrder = reason.check<ConnectionDone>();
    serveRead();
    settleWrite(writeEnded_ && inOrder ? Failure() : reason);
    for (Promise<void>& each : std::exchange(closing_, {}))
        each.fire(inOrder ? Result<void>() : Result<void>(reason));
}

} // namespace torsion::detail
