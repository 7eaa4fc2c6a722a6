#!/usr/bin/env python3
"""The echo pair with each other and with peers of our own."""

import selectors

from harness import *


@case
def pair():
    """every size of message comes back"""
    with server("echo_server") as ours:
        for messages, size in ((1, 1), (1000, 64), (10_000, 7), (50, 100_000)):
            with example("echo_client", "--port", ours.port(), "--messages", messages, "--size", size) as client:
                check_equal(client.finish(), f"OK {messages} {messages * size}\n")
        check_equal(ours.stop(), f"READY {ours.port()}\n")


@case
def half_close():
    """what was sent before the end of one direction still comes back, then the end of the other"""
    data = bytes(range(256)) * 8000
    with server("echo_server") as ours, connect(ours.port()) as peer:
        received = bytearray()
        sent = 0
        peer.setblocking(False)
        with selectors.DefaultSelector() as selector:
            selector.register(peer, selectors.EVENT_READ | selectors.EVENT_WRITE)
            while True:
                events = selector.select(PATIENCE)
                check(events, f"stalled after {sent} bytes sent, {len(received)} received")
                mask = events[0][1]
                if mask & selectors.EVENT_READ:
                    chunk = peer.recv(65536)
                    if not chunk:
                        break
                    received += chunk
                if mask & selectors.EVENT_WRITE:
                    sent += peer.send(data[sent : sent + 65536])
                    if sent == len(data):
                        peer.shutdown(socket.SHUT_WR)
                        selector.modify(peer, selectors.EVENT_READ)
        check_equal(len(received), len(data))
        check(received == data, "what came back differs")


@case
def throttled():
    """a peer that sends and does not read is throttled: the server does not grow with what it sends"""
    with server("echo_server") as ours, connect(ours.port()) as peer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        peer.setblocking(False)
        block = b"x" * 65536
        limit = 64 * 1024 * 1024
        sent = 0
        with selectors.DefaultSelector() as selector:
            selector.register(peer, selectors.EVENT_WRITE)
            # Half a second without room: all buffers on the way are full.
            while sent < limit and selector.select(0.5):
                sent += peer.send(block)
        check(sent < limit, "the server took everything")
        peer.setblocking(True)
        peer.settimeout(PATIENCE)
        check_equal(receive_exactly(peer, sent), b"x" * sent)


@case
def wrong_echo():
    """the client says what is wrong with a server that changes or loses bytes"""
    listener, port = listen()
    with listener:
        with example("echo_client", "--port", port, "--messages", 1, "--size", 5) as client:
            with accept(listener) as peer:
                check_equal(receive_exactly(peer, 5), b"abcde")
                peer.sendall(b"abcdx")
                client.finish(1)
            check_equal(client.err.text(), "echo_client: what came back after 0 bytes differs\n")
        with example("echo_client", "--port", port, "--messages", 1, "--size", 5) as client:
            with accept(listener) as peer:
                check_equal(receive_exactly(peer, 5), b"abcde")
                peer.sendall(b"abc")
            client.finish(1)
            check_equal(client.err.text(), "echo_client: the connection ended after 3 bytes\n")


main()
