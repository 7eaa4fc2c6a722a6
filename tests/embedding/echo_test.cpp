// Connections inside of every host.

#include "embedding/suite.hpp"
#include "support/raw_socket.hpp"

#include <reactor/protocol.hpp>

#include <doctest/doctest.h>

#include <poll.h>

#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using namespace torsion;
using namespace torsion::test;

namespace {

/// Sends so many messages, each when the one before has come back, and closes.
class Asking : public Protocol {
public:
    explicit Asking(int count) : left(count) {}

    void connectionMade() override { ask(); }
    void dataReceived(std::string_view data) override {
        received_ += data;
        if (received_.size() < asked_.size())
            return;
        inOrder = inOrder && received_ == asked_;
        received_.clear();
        if (--left > 0)
            ask();
        else
            transport->loseConnection();
    }
    void connectionLost(const Failure&) override { lost = true; }

    int left;
    bool inOrder = true;
    bool lost = false;

private:
    void ask() {
        asked_ = "message " + std::to_string(left);
        transport->write(asked_);
    }

    std::string asked_;
    std::string received_;
};

/// Sends `text` and waits until as much has come back. @returns whether it was the same.
bool comesBack(RawSocket& socket, const std::string& text) {
    std::string received;
    for (std::size_t sent = 0; received.size() < text.size();) {
        sent += socket.send(std::string_view(text).substr(sent));
        pollfd watched{socket.fd(), POLLIN, 0};
        if (::poll(&watched, 1, 20'000) != 1)
            return false;
        received += socket.receive();
        if (socket.finished())
            return false;
    }
    return received == text;
}

} // namespace

HOST_CASE("a host carries an echo of 10,000 messages, both of whose ends are inside") {
    constexpr int kConnections = 4;
    const auto port = scene.listenEcho();
    std::vector<std::shared_ptr<Asking>> clients;
    for (int i = 0; i < kConnections; ++i) {
        clients.push_back(std::make_shared<Asking>(10'000 / kConnections));
        reactor.connectTCP("127.0.0.1", port->getHost().port(), HookedFactory::of(clients.back()));
    }
    for (const auto& client : clients)
        scene.until([&] { return client->lost; });
    for (const auto& client : clients) {
        CHECK(client->left == 0);
        CHECK(client->inOrder);
    }
}

HOST_CASE("a host carries an echo of 10,000 messages whose other end is on another thread") {
    const auto port = scene.listenEcho();
    bool same = true;
    bool ended = false;
    {
        const std::jthread client([&, number = port->getHost().port(), remote = reactor.remote()] {
            RawSocket socket = RawSocket::connectTo(number);
            for (int i = 0; i < 100 && same; ++i) {
                std::string messages;
                for (int k = 0; k < 100; ++k)
                    messages += "message " + std::to_string(100 * i + k) + '\n';
                same = comesBack(socket, messages);
            }
            remote.post([&] { ended = true; });
        });
        scene.until([&] { return ended; });
    }
    CHECK(same);
}

HOST_CASE("a megabyte goes through a host both ways at once, and nothing of it is lost") {
    const std::string big(1'000'000, 'b');
    HostPair pair(scene);
    pair.server->transport->write(big);
    pair.client->transport->write(big);
    scene.until([&] { return pair.server->record->received.size() >= big.size(); });
    scene.until([&] { return pair.client->record->received.size() >= big.size(); });
    CHECK(pair.server->record->received == big);
    CHECK(pair.client->record->received == big);
}
