#!/usr/bin/env python3
"""socat at the other end, as client and as server."""

import subprocess

from harness import *

SOCAT = need_program("socat")


def talk(port, data):
    words = [SOCAT, "-t", str(PATIENCE), "-", f"TCP4:127.0.0.1:{port}"]
    done = subprocess.run(words, input=data, capture_output=True, timeout=PATIENCE, check=True)
    return done.stdout


def socat_echo():
    """An echo server by socat, and its port, which it tells on stderr."""
    program = Program(SOCAT, "-d", "-d", "TCP4-LISTEN:0,bind=127.0.0.1,fork", "EXEC:cat", stdin=subprocess.DEVNULL)
    return program, int(program.err.wait(r"listening on AF=2 127\.0\.0\.1:(\d+)").group(1))


@case
def echo():
    """socat gets back what it sends, up to the end"""
    data = bytes(range(256)) * 4000
    with server("echo_server") as ours:
        check(talk(ours.port(), data) == data, "what came back differs")


@case
def clients():
    """our clients talk with socat's server"""
    program, port = socat_echo()
    with program:
        with example("echo_client", "--port", port, "--messages", 2000, "--size", 500) as client:
            check_equal(client.finish(), "OK 2000 1000000\n")
        with example("timestamp_client", "--port", port) as client:
            client.send("hello\n\n")
            check_equal(client.finish(), "> ...sending hello...\nhello\n> ")


@case
def through_proxy():
    """our proxy passes socat on to socat"""
    program, port = socat_echo()
    data = b"x" * 500_000
    with program, server("proxy", "--target-port", port) as ours:
        check_equal(len(talk(ours.port(), data)), len(data))


main()
