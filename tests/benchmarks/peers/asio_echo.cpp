// An echo on Asio with callbacks, as its own examples are written: a session that keeps itself alive.

#include "peer.hpp"

#include <asio.hpp>

#include <array>
#include <memory>
#include <utility>

namespace {

using asio::ip::tcp;

class Session : public std::enable_shared_from_this<Session> {
public:
    explicit Session(tcp::socket socket) : socket_(std::move(socket)) {}

    void read() {
        socket_.async_read_some(asio::buffer(data_),
                                [self = shared_from_this()](asio::error_code error, std::size_t got) {
                                    if (!error)
                                        self->write(got);
                                });
    }

private:
    void write(std::size_t size) {
        asio::async_write(socket_, asio::buffer(data_, size),
                          [self = shared_from_this()](asio::error_code error, std::size_t) {
                              if (!error)
                                  self->read();
                          });
    }

    tcp::socket socket_;
    std::array<char, 16'384> data_;
};

void acceptNext(tcp::acceptor& acceptor) {
    acceptor.async_accept([&acceptor](asio::error_code error, tcp::socket socket) {
        if (!error) {
            socket.set_option(tcp::no_delay(true), error);
            std::make_shared<Session>(std::move(socket))->read();
        }
        acceptNext(acceptor);
    });
}

} // namespace

int main() {
    // One thread: the locks are compiled in and not used.
    asio::io_context context(1);
    tcp::acceptor acceptor(context, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
    acceptor.listen(peer::kBacklog);
    acceptNext(acceptor);
    peer::announce(acceptor.local_endpoint().port());
    context.run();
}
