#!/usr/bin/env python3
"""The timestamp pair with real Twisted at the other end, both ways: the same dialogue but for the time."""

import re
import subprocess

from harness import *

PYTHON = need_twisted()
LINES = ["hello", "what is the time", "f\u00fcnf"]


def theirs(name, *words, **options):
    return Program(PYTHON, HERE / "peers" / f"timestamp_{name}.py", *words, **options)


def talk(client):
    with client:
        client.send("".join(line + "\n" for line in LINES) + "\n")
        return re.sub(STAMP, "[TIME]", client.finish())


@case
def both_ways():
    """our client with Twisted's server and Twisted's client with ours print what Twisted's pair prints"""
    with theirs("server", "--port", 0, stdin=subprocess.DEVNULL) as twisted, server("timestamp_server") as ours:
        wanted = "".join(f"> ...sending {line}...\n[TIME] {line}\n" for line in LINES) + "> "
        check_equal(talk(theirs("client", "--port", twisted.port())), wanted)
        check_equal(talk(example("timestamp_client", "--port", twisted.port())), wanted)
        check_equal(talk(theirs("client", "--port", ours.port())), wanted)
        said = [re.sub(r"READY \d+", "READY", server_.stop()) for server_ in (ours, twisted)]
        check("...connected from: 127.0.0.1\n" in said[0], said[0])
        check_equal(said[0].count("...connected from: 127.0.0.1\n"), 1)
        check_equal(said[1].count("...connected from: 127.0.0.1\n"), 2)


main()
