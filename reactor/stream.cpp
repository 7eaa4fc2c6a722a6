#include <reactor/stream.hpp>

#include <reactor/connect.hpp>
#include <reactor/detail/stream_protocol.hpp>
#include <reactor/errors.hpp>

#include <stdexcept>
#include <utility>

namespace torsion {

using detail::ReadRequest;
using detail::StreamProtocol;

Stream::Stream(std::shared_ptr<StreamProtocol> protocol) noexcept : protocol_(std::move(protocol)) {}

Stream::Stream(Stream&&) noexcept = default;

Stream& Stream::operator=(Stream&& other) noexcept {
    // Not before ours is the other one: who is told of the end may look.
    const Stream old(std::exchange(protocol_, std::move(other.protocol_)));
    return *this;
}

Stream::~Stream() {
    if (protocol_)
        protocol_->end();
}

StreamProtocol& Stream::protocol() const {
    if (!protocol_)
        throw NotConnectedError("The Stream was moved from.");
    return *protocol_;
}

Deferred<std::string> Stream::readUntil(std::string_view delimiter, Place place) {
    return readUntil(delimiter, limits().until, place);
}

Deferred<std::string> Stream::readUntil(std::string_view delimiter, std::size_t limit, Place place) {
    if (delimiter.empty())
        throw std::invalid_argument("Stream::readUntil: the delimiter is empty");
    return protocol().read({ReadRequest::Kind::Until, limit, std::string(delimiter)}, place);
}

Deferred<std::string> Stream::readExactly(std::size_t size, Place place) {
    return protocol().read({ReadRequest::Kind::Exactly, size}, place);
}

Deferred<std::string> Stream::readSome(std::size_t max, Place place) {
    if (max == 0)
        throw std::invalid_argument("Stream::readSome: at most nothing is asked for");
    return protocol().read({ReadRequest::Kind::Some, max}, place);
}

Deferred<std::string> Stream::readAll(std::size_t limit, Place place) {
    return protocol().read({ReadRequest::Kind::All, limit}, place);
}

Deferred<void> Stream::write(std::string_view data, Place place) {
    return protocol().write(data, nullptr, place);
}

Deferred<void> Stream::writeBytes(std::string_view data, std::string* movable, Place place) {
    return protocol().write(data, movable, place);
}

Deferred<void> Stream::writeAll(std::string_view data, Place place) {
    return protocol().writeAll(data, place);
}

Deferred<void> Stream::drain(Place place) {
    return protocol().drain(place);
}

void Stream::shutdownWrite() {
    protocol().shutdownWrite();
}

Deferred<void> Stream::close(Place place) {
    return protocol().close(place);
}

void Stream::abort() {
    protocol().transport->abortConnection();
}

Address Stream::getPeer() const {
    return protocol().getPeer();
}

Address Stream::getHost() const {
    return protocol().getHost();
}

Reactor& Stream::reactor() const {
    return protocol().reactor();
}

Transport& Stream::transport() const {
    return *protocol().transport;
}

void Stream::setLimits(const StreamLimits& limits) {
    protocol().setLimits(limits);
}

const StreamLimits& Stream::limits() const {
    return protocol().limits();
}

Deferred<Stream> connectStream(Reactor& reactor, std::string_view host, int port, const ConnectOptions& options,
                               std::source_location place) {
    return connectProtocol(reactor, host, port, std::make_shared<StreamProtocol>(), options, place)
        .addCallback([](std::shared_ptr<StreamProtocol> protocol) { return Stream(std::move(protocol)); });
}

} // namespace torsion
