#pragma once

#include <reactor/deferred.hpp>
#include <reactor/stream.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

/// A server and a client of streams.
namespace torsion::test {

/// Sends back what comes, and closes after the end.
inline Deferred<void> echo(Stream conn) {
    for (;;) {
        std::string some = co_await conn.readSome();
        if (some.empty())
            break;
        co_await conn.write(std::move(some));
    }
    co_await conn.close();
}

/// Sends all of it, and the end.
inline Deferred<void> sendAll(Stream& conn, const std::string& data) {
    for (std::size_t at = 0; at < data.size(); at += 50'000)
        co_await conn.write(std::string_view(data).substr(at, 50'000));
    co_await conn.drain();
    conn.shutdownWrite();
}

/// Sends `data` to an echo, and gives what comes back.
inline Deferred<std::string> exchange(Reactor& reactor, int port, const std::string& data) {
    Stream conn = co_await connectStream(reactor, "127.0.0.1", port);
    Deferred<void> sent = sendAll(conn, data);
    std::string all = co_await conn.readAll(data.size());
    co_await std::move(sent);
    co_await conn.close();
    co_return all;
}

} // namespace torsion::test
