#!/usr/bin/env python3
"""The proxy between peers of our own, and between our echo client and server."""

import struct

from harness import *


def proxy(target):
    return server("proxy", "--target-port", target)


def reset(peer):
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


def is_reset(peer):
    try:
        receive_all(peer)
    except ConnectionResetError:
        return True
    return False


@case
def echo():
    """much data comes through in both directions, on several connections"""
    with server("echo_server") as target, proxy(target.port()) as ours:
        words = ("--port", ours.port(), "--messages", 200, "--size", 20_000)
        with example("echo_client", *words) as first, example("echo_client", *words) as second:
            check_equal(first.finish(), "OK 200 4000000\n")
            check_equal(second.finish(), "OK 200 4000000\n")
        ours.stop()


@case
def half_close():
    """the end of each direction is passed on as such, after what was sent before it"""
    listener, port = listen()
    with listener, proxy(port) as ours, connect(ours.port()) as client, accept(listener) as target:
        client.sendall(b"question" * 10_000)
        client.shutdown(socket.SHUT_WR)
        check_equal(len(receive_all(target)), 80_000)
        target.sendall(b"answer" * 10_000)
        target.shutdown(socket.SHUT_WR)
        check_equal(len(receive_all(client)), 60_000)


@case
def half_close_by_target():
    """the target may end its direction first"""
    listener, port = listen()
    with listener, proxy(port) as ours, connect(ours.port()) as client, accept(listener) as target:
        target.sendall(b"greeting")
        target.shutdown(socket.SHUT_WR)
        check_equal(receive_all(client), b"greeting")
        client.sendall(b"still here")
        client.shutdown(socket.SHUT_WR)
        check_equal(receive_all(target), b"still here")


@case
def resets():
    """a reset of either side reaches the other"""
    listener, port = listen()
    with listener, proxy(port) as ours:
        with connect(ours.port()) as client, accept(listener) as target:
            client.sendall(b"x")
            check_equal(receive_exactly(target, 1), b"x")
            reset(client)
            check(is_reset(target), "the target saw no reset")
        with connect(ours.port()) as client, accept(listener) as target:
            target.sendall(b"x")
            check_equal(receive_exactly(client, 1), b"x")
            reset(target)
            check(is_reset(client), "the client saw no reset")
        ours.stop()


@case
def no_target():
    """where nobody listens the client is reset, and the proxy goes on"""
    holder, port = unused_port()
    with holder, proxy(port) as ours:
        for _ in range(2):
            try:
                client = connect(ours.port())
            except ConnectionResetError:  # so soon that connect() tells
                continue
            with client:
                check(is_reset(client), "the client saw no reset")
        check_equal(ours.stop(), f"READY {ours.port()}\n")
        check_equal(ours.err.text().count("refused"), 2)


@case
def stopped():
    """the proxy ends in order while connections are open, and they end with it"""
    listener, port = listen()
    with listener, proxy(port) as ours, connect(ours.port()) as client, accept(listener) as target:
        client.sendall(b"x")
        check_equal(receive_exactly(target, 1), b"x")
        ours.stop()
        for peer in (client, target):
            try:
                check_equal(receive_all(peer), b"")
            except ConnectionResetError:  # as good: the stream was cut
                pass


main()
