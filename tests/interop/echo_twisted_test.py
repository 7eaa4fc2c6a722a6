#!/usr/bin/env python3
"""Echo with real Twisted at the other end, both ways."""

import subprocess

from harness import *

PYTHON = need_twisted()


def theirs(name, *words):
    return Program(PYTHON, HERE / "peers" / f"echo_{name}.py", *words, stdin=subprocess.DEVNULL)


@case
def twisted_client():
    """Twisted's client gets three megabytes back from our server"""
    with server("echo_server") as ours, theirs("client", "--port", ours.port(), "--size", 3_000_000) as client:
        check_equal(client.finish(), "OK\n")
        check_equal(ours.stop(), f"READY {ours.port()}\n")


@case
def twisted_server():
    """our client gets three megabytes back from Twisted's server"""
    with theirs("server") as twisted:
        for messages, size in ((30_000, 100), (3, 1_000_000)):
            with example("echo_client", "--port", twisted.port(), "--messages", messages, "--size", size) as client:
                check_equal(client.finish(), f"OK {messages} {messages * size}\n")


main()
