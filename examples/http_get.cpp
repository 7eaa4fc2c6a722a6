// Fetches a page with HTTP/1.0 and prints it.

#include "support/program.hpp"

#include <reactor/stream.hpp>

#include <spdlog/fmt/fmt.h>

#include <chrono>
#include <stdexcept>
#include <string>

namespace {

using namespace std::chrono_literals;

torsion::Deferred<void> get(torsion::Reactor& reactor, const examples::Program& program, const std::string& path) {
    torsion::Stream conn = co_await torsion::connectStream(reactor, program.host(), program.port());
    std::string request = fmt::format("GET {} HTTP/1.0\r\nHost: {}\r\n\r\n", path, program.host());
    co_await conn.write(std::move(request)).addTimeout(30s, reactor);
    const std::string head = co_await conn.readUntil("\r\n\r\n").addTimeout(30s, reactor);
    if (!head.starts_with("HTTP/1.") || head.find(" 200 ") != 8)
        throw std::runtime_error(fmt::format("the answer is {}", head.substr(0, head.find("\r\n"))));
    std::string part;
    do {
        part = co_await conn.readSome().addTimeout(30s, reactor);
        fmt::print("{}", part);
    } while (!part.empty());
}

} // namespace

int main(int argc, char** argv) {
    examples::Program program("Fetches a page with HTTP/1.0 and prints it.", examples::Role::Client, 8080);
    std::string path = "/";
    program.option("--path", path, "what to fetch");
    return program.react(argc, argv, [&](torsion::Reactor& reactor) { return get(reactor, program, path); });
}
