// An echo as one writes it on libuv when it has to be quick: one buffer for all reads, uv_try_write, and a request for
// what that leaves alone.

#include "uv_server.hpp"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <cstdlib>
#include <cstring>

namespace {

struct Write {
    uv_write_t request;
    char data[1]; // and what follows it
};

std::array<char, peer::kReadBuffer> input;

void allocate(uv_handle_t*, std::size_t, uv_buf_t* buffer) {
    *buffer = uv_buf_init(input.data(), static_cast<unsigned>(input.size()));
}

void writeLater(uv_stream_t* stream, const char* data, std::size_t size) {
    auto* write = static_cast<Write*>(std::malloc(sizeof(Write) + size));
    std::memcpy(write->data, data, size);
    uv_buf_t buffer = uv_buf_init(write->data, static_cast<unsigned>(size));
    uv_write(&write->request, stream, &buffer, 1, [](uv_write_t* request, int) { std::free(request); });
}

void onRead(uv_stream_t* stream, ssize_t got, const uv_buf_t* buffer) {
    if (got < 0)
        return peer::drop(stream);
    if (got == 0)
        return;
    uv_buf_t output = uv_buf_init(buffer->base, static_cast<unsigned>(got));
    int sent = stream->write_queue_size == 0 ? uv_try_write(stream, &output, 1) : 0;
    if (sent < 0)
        sent = 0;
    if (sent < got)
        writeLater(stream, buffer->base + sent, static_cast<std::size_t>(got - sent));
}

void onConnection(uv_stream_t* server, int status) {
    if (uv_stream_t* stream = status == 0 ? peer::accept(server) : nullptr)
        uv_read_start(stream, allocate, onRead);
}

// Accepted sockets inherit it, which saves a system call for each.
void disableNagle(uv_tcp_t* server) {
    uv_os_fd_t fd = -1;
    uv_fileno(reinterpret_cast<uv_handle_t*>(server), &fd);
    const int one = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

} // namespace

int main() {
    return peer::serve(disableNagle, onConnection);
}
