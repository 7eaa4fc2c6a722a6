#!/usr/bin/env python3
"""Torsion's echo under load returns every byte, and the load generator would have noticed otherwise.

Arguments: the load generator, Torsion's server. Takes about a second.
"""

import json
import socket
import subprocess
import sys
import threading

from server import Server

GENERATOR, SERVER = sys.argv[1:]
problems = []


def expect(what, condition, detail=""):
    print(f"{'ok' if condition else 'FAILED'}: {what} {detail}".rstrip(), flush=True)
    if not condition:
        problems.append(what)


def load(port, **options):
    words = [GENERATOR, "--port", str(port), "--limit", "20"]
    for name, value in options.items():
        words += ["--" + name, str(value)]
    return subprocess.run(words, capture_output=True, text=True, timeout=40, check=False)


def torsion_echoes(what, **options):
    with Server([SERVER]) as server:
        done = load(server.port, **options)
        expect(what, done.returncode == 0, done.stderr)
        if done.returncode == 0:
            size = options["messages"] * options["size"]
            expect(f"{what}: {size} bytes", json.loads(done.stdout)["verified_bytes"] == size, done.stdout)
        status = server.end()
        expect(f"{what}: the server ends when asked to", status == 0, f"(status {status})")


def serve_one(listener, answer):
    """Answers what one connection sends; returns when that connection ends."""
    with listener.accept()[0] as connection:
        number = 0
        while data := connection.recv(65536):
            reply = answer(number, data)
            if reply is None:
                return
            connection.sendall(reply)
            number += 1


def generator_notices(what, answer):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(20)
        thread = threading.Thread(target=serve_one, args=(listener, answer), daemon=True)
        thread.start()
        done = load(listener.getsockname()[1], messages=5, size=64)
        thread.join(20)
    expect(f"the generator notices {what}", done.returncode == 1 and done.stderr != "", done.stderr)


def changed(data):
    return data[:-1] + bytes([data[-1] ^ 1])


def stale():
    """Answers each message with the one before it."""
    seen = []

    def answer(_, data):
        seen.append(data)
        return seen[max(0, len(seen) - 2)]

    return answer


torsion_echoes("4 connections, 200 messages", connections=4, messages=200, size=64)
torsion_echoes("4 connections, 200 messages of 64 KiB", connections=4, messages=200, size=65536)
torsion_echoes("200 connections, one after the other", workload="connect", connections=4, messages=200, size=1)
generator_notices("a wrong byte", lambda number, data: changed(data) if number == 3 else data)
generator_notices("a byte too many", lambda number, data: data + b"x" if number == 4 else data)
generator_notices("a repeated message", stale())
generator_notices("a connection that is closed early", lambda number, data: None if number == 2 else data)
sys.exit(1 if problems else 0)
