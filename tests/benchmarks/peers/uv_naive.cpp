// An echo as libuv's guide writes it: a buffer from malloc for each read, a request from malloc and a uv_write for each
// answer.

#include "uv_server.hpp"

#include <cstdlib>

namespace {

struct Write {
    uv_write_t request;
    uv_buf_t buffer;
};

void allocate(uv_handle_t*, std::size_t suggested, uv_buf_t* buffer) {
    *buffer = uv_buf_init(static_cast<char*>(std::malloc(suggested)), static_cast<unsigned>(suggested));
}

void onWritten(uv_write_t* request, int) {
    auto* write = reinterpret_cast<Write*>(request);
    std::free(write->buffer.base);
    std::free(write);
}

void onRead(uv_stream_t* stream, ssize_t got, const uv_buf_t* buffer) {
    if (got > 0) {
        auto* write = static_cast<Write*>(std::malloc(sizeof(Write)));
        write->buffer = uv_buf_init(buffer->base, static_cast<unsigned>(got));
        uv_write(&write->request, stream, &write->buffer, 1, onWritten);
        return;
    }
    std::free(buffer->base);
    if (got < 0)
        peer::drop(stream);
}

void onConnection(uv_stream_t* server, int status) {
    uv_stream_t* stream = status == 0 ? peer::accept(server) : nullptr;
    if (!stream)
        return;
    uv_tcp_nodelay(reinterpret_cast<uv_tcp_t*>(stream), 1);
    uv_read_start(stream, allocate, onRead);
}

} // namespace

int main() {
    return peer::serve([](uv_tcp_t*) {}, onConnection);
}
