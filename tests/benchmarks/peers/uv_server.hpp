#pragma once

#include "peer.hpp"

#include <netinet/in.h>
#include <uv.h>

#include <cstdio>

/// What the two servers on raw libuv share: listening, and dropping a connection.
namespace peer {

inline uv_stream_t* streamOf(uv_tcp_t* tcp) {
    return reinterpret_cast<uv_stream_t*>(tcp);
}

inline void drop(uv_stream_t* stream) {
    uv_close(reinterpret_cast<uv_handle_t*>(stream),
             [](uv_handle_t* handle) { delete reinterpret_cast<uv_tcp_t*>(handle); });
}

/// A new connection in a uv_tcp_t of its own; null when it is gone already.
inline uv_stream_t* accept(uv_stream_t* server) {
    auto* tcp = new uv_tcp_t;
    uv_tcp_init(server->loop, tcp);
    if (uv_accept(server, streamOf(tcp)) == 0)
        return streamOf(tcp);
    drop(streamOf(tcp));
    return nullptr;
}

/// Listens and runs the loop.
/// @param prepare called with the socket before it listens
/// @returns the exit status of the program
inline int serve(void (*prepare)(uv_tcp_t*), uv_connection_cb onConnection) {
    uv_loop_t* loop = uv_default_loop();
    uv_tcp_t server;
    sockaddr_in address{};
    uv_ip4_addr("127.0.0.1", 0, &address);
    int length = sizeof address;
    uv_tcp_init(loop, &server);
    int error = uv_tcp_bind(&server, reinterpret_cast<sockaddr*>(&address), 0);
    if (error == 0) {
        prepare(&server);
        error = uv_listen(streamOf(&server), kBacklog, onConnection);
    }
    if (error == 0)
        error = uv_tcp_getsockname(&server, reinterpret_cast<sockaddr*>(&address), &length);
    if (error != 0) {
        std::fprintf(stderr, "cannot listen: %s\n", uv_strerror(error));
        return 1;
    }
    announce(ntohs(address.sin_port));
    return uv_run(loop, UV_RUN_DEFAULT);
}

} // namespace peer
