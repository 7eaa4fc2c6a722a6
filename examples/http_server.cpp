// Serves pages that say their name with HTTP/1.0, to at most 100 at a time.

#include "support/program.hpp"

#include <reactor/reactor.hpp>
#include <reactor/stream.hpp>

#include <spdlog/fmt/fmt.h>

#include <chrono>
#include <string>

namespace {

using namespace std::chrono_literals;

torsion::Deferred<void> answer(torsion::Stream conn, std::chrono::milliseconds delay) {
    const std::string head = co_await conn.readUntil("\r\n\r\n").addTimeout(30s, conn.reactor());
    std::string page = "HTTP/1.0 400 Bad Request\r\n\r\n";
    if (head.starts_with("GET /"))
        page = fmt::format("HTTP/1.0 200 OK\r\n\r\nThis is {}.\n", head.substr(4, head.find_first_of(" \r", 4) - 4));
    co_await conn.reactor().sleep(delay);
    co_await conn.write(std::move(page));
}

} // namespace

int main(int argc, char** argv) {
    examples::Program program("Serves pages that say their name.", examples::Role::Server, 8080);
    int delay = 0;
    program.option("--delay", delay, {0, 60'000}, "milliseconds until it answers");
    return program.run(argc, argv, [&](torsion::UvReactor& reactor) {
        const auto handler = [delay](torsion::Stream conn) { return answer(std::move(conn), delay * 1ms); };
        program.serve(reactor, handler, {.maxHandlers = 100});
    });
}
