// serveStreams: a handler for each connection of a port.

#include <reactor/detail/stream_protocol.hpp>
#include <reactor/errors.hpp>
#include <reactor/factory.hpp>
#include <reactor/listening_port.hpp>
#include <reactor/log.hpp>
#include <reactor/reactor.hpp>
#include <reactor/stream.hpp>

#include <cstdint>
#include <map>
#include <stdexcept>
#include <utility>
#include <vector>

namespace torsion {

namespace {

using detail::StreamProtocol;

/// The handlers of a port that run. Shared by its factory and by each of them: they may outlive the port.
class Handlers {
public:
    Handlers(StreamHandler handler, std::size_t max) : handler_(std::move(handler)), max_(max) {}

    void setPort(const std::shared_ptr<ListeningPort>& port) { port_ = port; }

    static void start(const std::shared_ptr<Handlers>& self, const std::shared_ptr<StreamProtocol>& protocol) {
        const std::uint64_t id = ++self->lastId_;
        self->running_.try_emplace(id); // it may be done before we have its canceller
        self->updateAccepting();
        Deferred<void> task =
            maybeDeferred(self->handler_, Stream(protocol)).addBoth([self, protocol, id](Result<void> result) {
                self->ended(id, *protocol, result.failure());
            });
        const auto entry = self->running_.find(id);
        if (entry != self->running_.end())
            entry->second = task.canceller();
        std::move(task).detach();
    }

    /// In the order in which they were started.
    void cancelAll() {
        std::vector<Canceller> cancellers;
        for (const auto& [id, canceller] : running_)
            cancellers.push_back(canceller);
        for (const Canceller& each : cancellers)
            each.cancel();
    }

private:
    void ended(std::uint64_t id, StreamProtocol& protocol, const Failure& failure) {
        running_.erase(id);
        updateAccepting();
        if (!failure)
            return;
        if (failure.check<CancelledError>() || (failure.check<ConnectionClosed>() && protocol.hasEnded()))
            return log::debug("The handler of the stream with {} has ended: {}", protocol.getPeer().toString(),
                              failure.toString());
        log::error("Exception in the handler of the stream with {}: {}", protocol.getPeer().toString(),
                   failure.toString());
        protocol.transport->abortConnection(failure);
    }

    void updateAccepting() {
        if (running_.size() < max_) {
            full_.reset();
        } else if (!full_) {
            if (const std::shared_ptr<ListeningPort> port = port_.lock())
                full_ = port->holdAccepting();
        }
    }

    StreamHandler handler_;
    std::size_t max_;
    std::map<std::uint64_t, Canceller> running_; // by number, which is the order of their starts
    std::uint64_t lastId_ = 0;
    std::shared_ptr<void> full_; // holds the port
    std::weak_ptr<ListeningPort> port_;
};

class StreamServer final : public Factory {
public:
    explicit StreamServer(std::shared_ptr<Handlers> handlers) : handlers_(std::move(handlers)) {}

    std::shared_ptr<Protocol> buildProtocol(const Address&) override {
        auto protocol = std::make_shared<StreamProtocol>();
        protocol->onMade = [handlers = handlers_, weak = std::weak_ptr<StreamProtocol>(protocol)] {
            Handlers::start(handlers, weak.lock());
        };
        return protocol;
    }

    void stopFactory() override { handlers_->cancelAll(); }

    std::string logPrefix() const override { return "StreamServer"; }

private:
    std::shared_ptr<Handlers> handlers_;
};

} // namespace

std::shared_ptr<ListeningPort> serveStreams(Reactor& reactor, int port, StreamHandler handler,
                                            const ServeOptions& options) {
    if (!handler)
        throw std::invalid_argument("serveStreams: the handler is null");
    if (options.maxHandlers == 0)
        throw std::invalid_argument("serveStreams: without a handler at a time nothing is served");
    auto handlers = std::make_shared<Handlers>(std::move(handler), options.maxHandlers);
    std::shared_ptr<ListeningPort> listening =
        reactor.listenTCP(port, std::make_shared<StreamServer>(handlers), options.listen);
    handlers->setPort(listening);
    return listening;
}

} // namespace torsion
