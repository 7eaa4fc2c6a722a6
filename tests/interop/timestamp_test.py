#!/usr/bin/env python3
"""The timestamp pair with each other and with peers of our own, over every kind of standard input."""

import fcntl
import os
import pty
import re
import tempfile

from harness import *


def dialogue(*lines):
    """What the client prints for these lines."""
    return re.compile("".join(rf"> \.\.\.sending {line}\.\.\.\n{STAMP} {line}\n" for line in lines) + "> ")


def check_output(got, pattern):
    check(pattern.fullmatch(got), f"{got!r} is not {pattern.pattern!r}")


@case
def server_answers():
    """the server says who connects, and answers with the time and what it received"""
    with server("timestamp_server") as ours:
        with connect(ours.port()) as peer:
            peer.sendall(b"hello")
            answer = receive_exactly(peer, len("[Sat Nov 21 10:57:32 2026] hello")).decode()
            check(re.fullmatch(STAMP + " hello", answer), answer)
        output = ours.stop()
        wanted = r"waiting for connection\.\.\.\nREADY \d+\n\.\.\.connected from: 127\.0\.0\.1\n"
        check(re.fullmatch(wanted, output), output)


@case
def pair():
    """the pair talks, in lock-step, until an empty line"""
    with server("timestamp_server") as ours, example("timestamp_client", "--port", ours.port()) as client:
        client.send("hello\nis it late\n\nnever\n")
        check_output(client.finish(), dialogue("hello", "is it late"))


@case
def end_of_pipe():
    """the end of a pipe closes, also in the middle of a line and right at the beginning"""
    with server("timestamp_server") as ours:
        for text, lines in (("one\ntwo", ["one", "two"]), ("", [])):
            with example("timestamp_client", "--port", ours.port()) as client:
                client.send(text)
                client.end_input()
                check_output(client.finish(), dialogue(*lines))


@case
def regular_file():
    """standard input may be a regular file"""
    lines = [f"line {i}" for i in range(50)]
    with tempfile.TemporaryFile() as file, server("timestamp_server") as ours:
        file.write("\n".join(lines).encode() + b"\n")
        file.seek(0)
        with example("timestamp_client", "--port", ours.port(), stdin=file) as client:
            check_output(client.finish(), dialogue(*lines))


@case
def terminal():
    """standard input may be a terminal, whose descriptor flags stay as they were"""
    keyboard, screen = pty.openpty()
    try:
        flags = fcntl.fcntl(screen, fcntl.F_GETFL)
        with (
            server("timestamp_server") as ours,
            example("timestamp_client", "--port", ours.port(), stdin=screen) as client,
        ):
            client.out.wait("> ")
            check_equal(fcntl.fcntl(screen, fcntl.F_GETFL), flags)
            os.write(keyboard, b"hello\n")
            client.out.wait("> ", 2)
            check_equal(fcntl.fcntl(screen, fcntl.F_GETFL), flags)
            os.write(keyboard, b"\x04")  # the end of input, typed
            check_output(client.finish(), dialogue("hello"))
        check_equal(fcntl.fcntl(screen, fcntl.F_GETFL), flags)
    finally:
        os.close(keyboard)
        os.close(screen)


@case
def not_blocked():
    """while the client waits for a line it sees that the server goes, and ends"""
    listener, port = listen()
    with listener, example("timestamp_client", "--port", port) as client:
        with accept(listener):
            client.out.wait("> ")
        check_equal(client.finish(), "> ")


@case
def lock_step():
    """the next line is sent only when the last is answered"""
    listener, port = listen()
    with listener, example("timestamp_client", "--port", port) as client:
        client.send("one\ntwo\n")
        client.end_input()
        with accept(listener) as peer:
            check_equal(peer.recv(100), b"one")
            client.out.wait(r"\.\.\.sending one\.\.\.")
            check("two" not in client.out.text(), client.out.text())
            peer.sendall(b"first answer")
            check_equal(peer.recv(100), b"two")
            peer.sendall(b"second answer")
            check_equal(peer.recv(100), b"")
        wanted = "> ...sending one...\nfirst answer\n> ...sending two...\nsecond answer\n> "
        check_equal(client.finish(), wanted)


@case
def reset():
    """a connection that breaks is told in one line, with status 1"""
    listener, port = listen()
    with listener, example("timestamp_client", "--port", port) as client:
        with accept(listener) as peer:
            client.out.wait("> ")
            # Closed with an end of its own kind: SO_LINGER 0 resets.
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.finish(1)
        check(re.fullmatch("timestamp_client: .*reset.*\n", client.err.text()), client.err.text())


main()
