#include <reactor/core/stream_core.hpp>

#include <reactor/core/stream_call.hpp>
#include <reactor/errors.hpp>
#include <reactor/factory.hpp>
#include <reactor/log.hpp>
#include <reactor/protocol.hpp>

#include <spdlog/fmt/fmt.h>

#include <stdexcept>
#include <utility>

namespace torsion::core {

StreamCore::StreamCore(TurnCore& turn, Reactor& reactor, StreamOwner& owner, ChannelPtr&& channel,
                       const StreamOptions& options, const Address& peer, const std::shared_ptr<Factory>& factory,
                       std::shared_ptr<Protocol>&& protocol)
    : turn_(turn), channel_(channel.release()), protocol_(std::move(protocol)), owner_(&owner), factory_(factory),
      reactor_(reactor), limits_(options.writeBuffer), close_(options.close ? *options.close : turn.limits.close),
      id_(turn.nextId()), began_(turn.roughNow()), peer_(peer) {
    channel_->attach(*this);
}

StreamCore::~StreamCore() {
    channel_->destroy();
}

void StreamCore::start() {
    turn_.addLive(*this);
    ++turn_.stats.connectionsMade;
    ++turn_.stats.connections;
    if (!protocol_->factory)
        protocol_->factory = factory_.get();
    updateReading();
    call([this] { protocol_->makeConnection(*this); });
}

void StreamCore::onReadable() {
    if (!reading_)
        return;
    const ReceiveResult result = channel_->receive();
    if (result.kind == ReceiveResult::Kind::Data && phase_ == Phase::Open) [[likely]] {
        turn_.stats.bytesReceived += result.data.size();
        deliver(result.data);
    } else {
        received(result);
    }
}

// A host's loop runs inside one of our callbacks: input waits for its return, in the kernel.
void StreamCore::onNestedEvent() {
    if (!inCall_)
        return;
    stopReading();
    afterCall_ = true;
}

void StreamCore::deliver(std::string_view data) {
    call([this, data] { protocol_->dataReceived(data); });
}

// What is not data for the protocol: an end, an error, and what a closing connection still gets.
void StreamCore::received(const ReceiveResult& result) {
    switch (result.kind) {
    case ReceiveResult::Kind::Data: // discarded: we are closing (S-29)
        if (phase_ == Phase::Lingering)
            noteProgress();
        return;
    case ReceiveResult::Kind::Nothing:
        return;
    case ReceiveResult::Kind::End:
        return inputEnded();
    case ReceiveResult::Kind::Error:
        return onBroken(result.error);
    }
}

void StreamCore::onBroken(int error) {
    if (phase_ == Phase::Lost)
        return;
    if (output_ == Output::Broken)
        return finish(rare().outputError, CloseMode::Orderly);
    if (phase_ == Phase::Lingering)
        return finish(Failure::of<ConnectionDone>(), CloseMode::Orderly);
    if (error != 0)
        return finish(Failure::of<ConnectionLost>(error), CloseMode::Orderly);
    inputEnded();
}

void StreamCore::inputEnded() {
    inputEnded_ = true;
    stopReading();
    if (output_ == Output::Broken)
        return finish(rare().outputError, CloseMode::Orderly);
    if (phase_ == Phase::Lingering)
        return finish(Failure::of<ConnectionDone>(), CloseMode::Orderly);
    if (phase_ != Phase::Open)
        return; // draining: what is written still goes out
    call([this] { protocol_->readConnectionLost(); });
    endProducing(); // no more comes in
    advanceClosing();
}

// A callback threw: the bug is not masked by an abort that it asked for before (S-48).
void StreamCore::callFailed() noexcept {
    Failure failure = Failure::current();
    try {
        log::error("Exception in {}: {}", describe(), failure.toString());
    } catch (...) { // a prefix that throws, or no memory for the text
    }
    if (phase_ != Phase::Lost) {
        finish(std::move(failure), CloseMode::Reset);
    } else if (protocol_ && Closing::linked()) {
        reason_ = std::move(failure);
        closeMode_ = CloseMode::Reset;
    }
}

void StreamCore::runGuarded(CallableRef<void()> f) {
    checkThread();
    if (phase_ == Phase::Lost)
        return f(); // nobody to drop: as if it were called by hand
    ++turn_.stats.callbacks;
    const TurnCore::OutsideCall call(turn_);
    {
        CallScope scope(*this);
        try {
            f();
        } catch (...) {
            callFailed();
        }
    }
    afterOutsideCall();
}

// A switch that was asked for waits for the flush phase: whoever called us may be the old protocol.
void StreamCore::afterOutsideCall() {
    if (!afterCall_ || inCall_)
        return;
    if (phase_ == Phase::Lost)
        return afterCall();
    updateReading();
    turn_.markDirty(*this);
}

// What waited for the outermost callback to return: the end of the connection, or a switch of protocols.
void StreamCore::afterCall() {
    afterCall_ = false;
    if (phase_ == Phase::Lost)
        return turn_.close(*this);
    settleSwitches();
    if (std::exchange(flushHeld_, false))
        turn_.markDirty(*this);
}

void StreamCore::switchProtocol(std::shared_ptr<Protocol> next, std::string_view unparsed) {
    checkThread();
    if (!next)
        throw std::invalid_argument("switchProtocol: the next protocol is null");
    if (phase_ == Phase::Lost)
        return;
    Rare& state = rare();
    state.next = std::move(next);
    state.hold(unparsed);
    afterCall_ = true;
    if (inCall_)
        return;
    updateReading();
    turn_.markDirty(*this);
}

// Switches and delivers what was held back, in turns, until neither is due: protocols that hand over to each other
// after every few bytes nest no deeper than one that does so once.
void StreamCore::settleSwitches() {
    if (settling_)
        return;
    settling_ = true;
    while (rare_ && phase_ != Phase::Lost) {
        if (rare_->next) {
            performSwitch();
        } else if (!rare_->input.empty() && isReading()) {
            deliverHeld();
        } else {
            break;
        }
    }
    settling_ = false;
    updateReading();
}

void StreamCore::performSwitch() {
    const std::shared_ptr<Protocol> old = std::exchange(protocol_, std::exchange(rare_->next, nullptr));
    old->transport = &Transport::null();
    old->factory = nullptr;
    if (!protocol_->factory)
        protocol_->factory = factory_.get();
    call([this] { protocol_->makeConnection(*this); });
}

void StreamCore::deliverHeld() {
    std::string held = std::exchange(rare_->input, {});
    rare_->lent = std::string_view(held).substr(std::exchange(rare_->inputBegin, 0));
    rare_->lentBack = 0;
    deliver(rare_->lent);
    rare_->takeBack(std::move(held));
}

void StreamCore::Rare::hold(std::string_view bytes) {
    const bool tail = bytes.data() + bytes.size() == lent.data() + lent.size() && bytes.size() <= lent.size();
    if (tail && input.empty() && lentBack == 0 && !bytes.empty()) {
        lentBack = bytes.size(); // the end of what was delivered from here: no copy
    } else {
        input.append(bytes);
    }
}

void StreamCore::Rare::takeBack(std::string&& held) {
    lent = {};
    if (lentBack == 0)
        return;
    if (input.empty()) {
        inputBegin = held.size() - lentBack;
        input = std::move(held);
    } else {
        input.insert(0, held, held.size() - lentBack);
    }
    lentBack = 0;
}

void StreamCore::pauseProducing() {
    checkThread();
    paused_ = true;
    if (output_ == Output::Broken && phase_ == Phase::Open)
        return finish(rare().outputError, CloseMode::Orderly); // the end of the input would not be seen
    updateReading();
}

void StreamCore::resumeProducing() {
    checkThread();
    paused_ = false;
    if (phase_ != Phase::Open)
        return;
    if (rare_ && !rare_->input.empty())
        turn_.markDirty(*this); // comes first, in the flush phase
    updateReading();
}

// A closing connection reads to discard, whatever the protocol paused; bytes held back come before new ones.
void StreamCore::updateReading() {
    const bool closing = phase_ == Phase::Draining || phase_ == Phase::Lingering;
    const bool held = rare_ && (!rare_->input.empty() || rare_->next);
    const bool wanted = !inputEnded_ && phase_ != Phase::Lost && (closing || (!paused_ && !held));
    if (wanted == reading_)
        return;
    if (!wanted)
        return stopReading();
    reading_ = true;
    channel_->startRead();
}

StreamCore::Rare& StreamCore::rare() {
    if (!rare_)
        rare_ = std::make_unique<Rare>();
    return *rare_;
}

Address StreamCore::getHost() const {
    return channel_->host();
}

void* StreamCore::query(const void* kind) noexcept {
    return channel_->query(kind);
}

std::string StreamCore::describe() const {
    return fmt::format("{},{},{}", protocol_ ? protocol_->logPrefix() : "-", id_, peer_.toString());
}

Endpoint StreamCore::endpoint() const {
    static constexpr const char* kNames[] = {"open", "closing", "lingering", "lost"};
    return {.kind = Endpoint::Kind::Connection,
            .name = describe(),
            .state = phase_ == Phase::Open && paused_ ? "paused" : kNames[static_cast<int>(phase_)],
            .age = turn_.freshNow() - began_,
            .host = getHost(),
            .peer = peer_};
}

} // namespace torsion::core
