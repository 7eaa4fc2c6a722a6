#include "timestamp.hpp"

#include "ctime.hpp"

#include <reactor/address.hpp>
#include <reactor/failure.hpp>
#include <reactor/protocol.hpp>
#include <reactor/reactor.hpp>
#include <reactor/transport.hpp>

#include <spdlog/fmt/fmt.h>

#include <string_view>
#include <utility>

namespace examples {

class TimestampServer::Connection : public torsion::Protocol {
public:
    explicit Connection(std::string peer) : peer_(std::move(peer)) {}

    void connectionMade() override { tell(fmt::format("...connected from: {}", peer_)); }

    void dataReceived(std::string_view data) override {
        transport->write(fmt::format("[{}] {}", ctimeOf(transport->reactor().wall()), data));
        const std::size_t end = data.find_last_not_of("\r\n");
        ++server().answered_;
        tell(fmt::format("...answered: {}", data.substr(0, end + 1)));
    }

    void connectionLost(const torsion::Failure&) override { tell(fmt::format("...gone: {}", peer_)); }

private:
    TimestampServer& server() const { return factoryAs<TimestampServer>(); }
    void tell(const std::string& line) const { server().told_(line); }

    std::string peer_;
};

TimestampServer::TimestampServer(Told told) : told_(std::move(told)) {
    if (!told_)
        told_ = [](const std::string& line) { fmt::print("{}\n", line); };
}

std::shared_ptr<torsion::Protocol> TimestampServer::buildProtocol(const torsion::Address& peer) {
    auto connection = std::make_shared<Connection>(std::string(peer.host()));
    connection->factory = this;
    return connection;
}

void TimestampServer::printAnswered() const {
    fmt::print("answered: {}\n", answered_);
}

} // namespace examples
