#!/usr/bin/env python3
"""A timestamp server inside of Python's asyncio, beside an asyncio timer.

    asyncio_host.py [--host ADDRESS] [--port NUMBER] [--tick SECONDS] [LIBRARY]

LIBRARY is the path of libtorsion.so, see torsion_c.py. Prints `READY <port>`; SIGINT and SIGTERM end it.
"""

import argparse
import asyncio
import signal
import sys
import time

from asyncio_reactor import Reactor
from torsion_c import load


class TimestampServer(asyncio.Protocol):
    """Answers with the time and what it received."""

    served = 0

    def connection_made(self, transport):
        self.transport = transport
        print("...connected from:", transport.get_extra_info("peername")[0], flush=True)

    def data_received(self, data):
        TimestampServer.served += 1
        self.transport.write(f"[{time.ctime()}] ".encode() + data)


async def tick(seconds):
    """The host's own timer."""
    while True:
        await asyncio.sleep(seconds)
        print(f"tick: {TimestampServer.served} messages served", flush=True)


async def serve(arguments):
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    library = load(arguments.library)
    library.torsion_set_log(None, 3, None)  # warnings, to stderr
    async with Reactor(library) as reactor:
        port = reactor.listen_tcp(TimestampServer, arguments.host, arguments.port)
        print(f"waiting for connection...\nREADY {port.number}", flush=True)
        ticking = asyncio.create_task(tick(arguments.tick))
        await ended.wait()
        ticking.cancel()
    print("stopped", flush=True)


def main():
    parser = argparse.ArgumentParser(description="A timestamp server inside of asyncio.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=21567, help="0 for any free one (21567)")
    parser.add_argument("--tick", type=float, default=5.0, help="seconds between two lines of the host's timer (5)")
    parser.add_argument("library", nargs="?", help="the path of libtorsion.so")
    try:
        asyncio.run(serve(parser.parse_args()))
    except OSError as error:
        sys.exit(f"asyncio_host: {error}")


if __name__ == "__main__":
    main()
