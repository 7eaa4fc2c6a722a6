/* A C program that knows <reactor/embedding/torsion.h> and nothing else of the library: it echoes to itself, with a
 * timer beside it, in a loop around poll. Exit status 0 when all was as it should be. */

#include <reactor/embedding/torsion.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MESSAGES = 1000, TURNS = 1000000 };

struct program {
    torsion_reactor* reactor;
    int made, received, lost, released, ticked, stopped;
    int isClean;
};

static void expect(int holds, const char* what) {
    if (holds)
        return;
    fprintf(stderr, "c_program: %s; last error: %s\n", what, torsion_last_error());
    exit(1);
}

static void send_back(torsion_connection* connection, const char* data, size_t size, void* user) {
    (void)user;
    expect(torsion_connection_write(connection, data, size) == TORSION_OK, "cannot write");
}

static void greet(torsion_connection* connection, void* user) {
    struct program* program = user;
    char host[TORSION_HOST_SIZE];
    int port = 0;
    program->made++;
    expect(torsion_connection_peer(connection, host, sizeof host, &port) == TORSION_OK, "no peer");
    expect(strcmp(host, "127.0.0.1") == 0 && port > 0, "the peer is another");
    expect(torsion_connection_write(connection, "!", 1) == TORSION_OK, "cannot greet");
}

static void answer(torsion_connection* connection, const char* data, size_t size, void* user) {
    struct program* program = user;
    (void)data;
    program->received += (int)size;
    if (program->received < MESSAGES)
        send_back(connection, data, size, user);
    else
        expect(torsion_connection_lose(connection) == TORSION_OK, "cannot lose");
}

static void end(torsion_connection* connection, const torsion_reason* reason, void* user) {
    struct program* program = user;
    (void)connection;
    program->lost++;
    program->isClean = reason->clean;
    expect(torsion_stop(program->reactor, 0) == TORSION_OK, "cannot stop");
}

static void tick(void* user) {
    ((struct program*)user)->ticked++;
}
static void stopped(void* user) {
    ((struct program*)user)->stopped++;
}
static void released(void* user) {
    ((struct program*)user)->released++;
}

static void run(torsion_reactor* reactor) {
    int turns = 0;
    for (;;) {
        struct pollfd watched;
        watched.fd = torsion_descriptor(reactor);
        watched.events = POLLIN;
        watched.revents = 0;
        poll(&watched, 1, torsion_timeout(reactor));
        const int came = torsion_dispatch(reactor);
        expect(came >= 0, "cannot dispatch");
        if (came == TORSION_STOPPED)
            return;
        expect(++turns < TURNS, "it does not end");
    }
}

int main(void) {
    struct program program;
    memset(&program, 0, sizeof program);
    torsion_handlers server, client;
    memset(&server, 0, sizeof server);
    memset(&client, 0, sizeof client);
    server.size = sizeof server;
    server.data_received = send_back;
    server.released = released;
    client = server;
    client.connection_made = greet;
    client.data_received = answer;
    client.connection_lost = end;

    expect(torsion_abi_version() >= TORSION_ABI_VERSION, "the library is older than the header");
    torsion_reactor* reactor = torsion_new(NULL);
    expect(reactor != NULL, "cannot make a reactor");
    program.reactor = reactor;
    torsion_port* port = NULL;
    expect(torsion_listen_tcp(reactor, 0, &server, &program, NULL, &port) == TORSION_OK, "cannot listen");
    expect(torsion_connect_tcp(reactor, "127.0.0.1", torsion_port_number(port), &client, &program, NULL, NULL) ==
               TORSION_OK,
           "cannot connect");
    expect(torsion_port_release(port) == TORSION_OK, "cannot release");
    expect(torsion_call_later(reactor, 0, tick, &program, NULL) == TORSION_OK, "cannot call later");
    expect(torsion_on_stopped(reactor, stopped, &program) == TORSION_OK, "cannot hear of the end");
    expect(torsion_start(reactor) == TORSION_OK, "cannot start");
    run(reactor);
    expect(torsion_destroy(reactor) == TORSION_OK, "cannot destroy");

    expect(program.made == 1 && program.received == MESSAGES && program.lost == 1, "a connection's callbacks");
    expect(program.isClean && program.ticked == 1 && program.stopped == 1 && program.released == 2, "the end");
    puts("1000 messages came back");
    return 0;
}
