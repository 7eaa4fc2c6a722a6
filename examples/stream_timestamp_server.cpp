// The timestamp server as a coroutine: a connection to await in place of a class to write.

#include "support/ctime.hpp"
#include "support/program.hpp"

#include <reactor/reactor.hpp>
#include <reactor/stream.hpp>

#include <spdlog/fmt/fmt.h>

#include <string>

namespace {

// Ends, and with it the connection, when the peer has sent its last byte.
torsion::Deferred<void> answer(torsion::Stream conn) {
    fmt::print("...connected from: {}\n", conn.getPeer().host());
    for (;;) {
        const std::string message = co_await conn.readSome();
        if (message.empty())
            co_return;
        std::string stamped = fmt::format("[{}] {}", examples::ctimeOf(conn.reactor().wall()), message);
        co_await conn.write(std::move(stamped));
    }
}

} // namespace

int main(int argc, char** argv) {
    examples::Program program("Answers with the time and what it received.", examples::Role::Server, 21567);
    return program.run(argc, argv, [&](torsion::UvReactor& reactor) {
        fmt::print("waiting for connection...\n");
        program.serve(reactor, answer);
    });
}
