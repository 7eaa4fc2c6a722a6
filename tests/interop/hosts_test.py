#!/usr/bin/env python3
"""Each program that has a timestamp server inside of another loop: it answers, the host's timer goes on, and a signal,
which is the host's to hear, ends all in order."""

import re
import tempfile
import zlib

from harness import *


def exchange(peer, text):
    peer.sendall(text.encode())
    answer = receive_exactly(peer, len("[Sat Nov 21 10:57:32 2026] ") + len(text)).decode()
    check(re.fullmatch(f"{STAMP} {re.escape(text)}", answer), answer)


def complaints(program):
    """What it has printed on stderr, but for what Qt says of a screen that is not there."""
    return [line for line in program.err.wait_end().splitlines() if "propagateSizeHints" not in line]


def read_png(data):
    """Width, height, and the bytes of its rows, as they are filtered."""
    check_equal(data[:8], b"\x89PNG\r\n\x1a\n")
    packed = b""
    at = 8
    while at < len(data):
        size, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if kind == b"IDAT":
            packed += data[at + 8 : at + 8 + size]
        at += size + 12
    return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big"), zlib.decompress(packed)


@case
def each_host():
    """every host answers, ticks, and ends in order while a peer is connected"""
    for name in hosts():
        with server(name, "--interval", 20) as ours:
            ours.out.wait("^answered: 0$")
            with connect(ours.port()) as peer:
                exchange(peer, "hello\n")
                ours.out.wait("^answered: 1$")
                exchange(peer, "is it late\n")
                ours.out.wait("^answered: 2$", 2)
                output = ours.stop()
                check_equal(receive_all(peer), b"")
            for line in ("connected from: 127.0.0.1", "answered: hello", "answered: is it late", "gone: 127.0.0.1"):
                check_equal((name, line, output.count(f"...{line}\n")), (name, line, 1))
            check_equal((name, complaints(ours)), (name, []))
        print("     ", name)


@case
def window():
    """the window saves a picture of itself with a dialog open, that of a callback of the reactor's, and ends"""
    if "qt_window" not in hosts():
        return
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "window.png"
        with server("qt_window", "--screenshot", file) as ours:
            output = ours.finish()
        check("...answered: and with a dialog open?\n" in output, output)
        width, height, pixels = read_png(file.read_bytes())
        check(width >= 300 and height >= 200, width, height)
        check(len(set(zip(*[iter(pixels)] * 4))) > 20, "the picture is nearly blank")
        # A file that cannot be written is one line, and status 1.
        with server("qt_window", "--screenshot", pathlib.Path(folder) / "none" / "window.png") as ours:
            ours.finish(1)
            check_equal(len(complaints(ours)), 1)


main()
