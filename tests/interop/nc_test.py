#!/usr/bin/env python3
"""nc at the other end."""

import subprocess

from harness import *

NC = need_nc()


def talk(port, data):
    words = [*NC, "127.0.0.1", str(port)]
    done = subprocess.run(words, input=data, capture_output=True, timeout=PATIENCE, check=False)
    return done.stdout


@case
def echo():
    """nc gets back what it sends, up to the end"""
    data = bytes(range(256)) * 4000
    with server("echo_server") as ours:
        check(talk(ours.port(), data) == data, "what came back differs")


@case
def timestamp():
    """nc asks the timestamp server"""
    with server("timestamp_server") as ours:
        answer = talk(ours.port(), b"from nc").decode()
        check(answer.startswith("[") and answer.endswith("] from nc"), answer)


@case
def through_proxy():
    """nc through the proxy to the echo server"""
    data = b"line\n" * 50_000
    with server("echo_server") as target, server("proxy", "--target-port", target.port()) as ours:
        check(talk(ours.port(), data) == data, "what came back differs")


main()
