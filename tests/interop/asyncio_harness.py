"""What the tests of the reactor inside of asyncio share: the example's classes, and protocols that tell what they hear.

TORSION_LIBRARY names the shared library; without it the test is skipped.
"""

import asyncio

from harness import *

SCRIPT = HERE.parents[1] / "examples" / "embedding" / "asyncio_host.py"
sys.path.insert(0, str(SCRIPT.parent))
sys.dont_write_bytecode = True

if not os.path.exists(os.environ.get("TORSION_LIBRARY", "")):
    skip("there is no shared library of Torsion", "hosts")

import torsion_c  # noqa: E402
from asyncio_reactor import Reactor  # noqa: E402
from torsion_c import TorsionError  # noqa: E402

torsion_c.load().torsion_set_log(None, 5, None)


def within(function):
    """Runs a case's coroutine with a reactor inside of a loop."""

    async def run():
        async with Reactor() as reactor:
            await asyncio.wait_for(function(reactor), PATIENCE)

    def wrapped():
        asyncio.run(run())

    wrapped.__doc__ = function.__doc__
    return case(wrapped)


class Recorder(asyncio.Protocol):
    """Records what it hears; each is a future that tells of it."""

    def __init__(self, on_data=lambda self, data: None):
        loop = asyncio.get_running_loop()
        self.made, self.lost, self.failed = loop.create_future(), loop.create_future(), loop.create_future()
        self.received = b""
        self._on_data = on_data

    def __call__(self):
        return self

    def connection_made(self, transport):
        self.transport = transport
        self.made.set_result(transport)

    def data_received(self, data):
        self.received += data
        self._on_data(self, data)

    def connection_lost(self, error):
        self.lost.set_result(error)

    def connection_failed(self, error):
        self.failed.set_result(error)


def check_refused(words, function, *arguments):
    try:
        function(*arguments)
    except TorsionError as error:
        check(words in str(error), error)
    else:
        check(False, "not refused:", words)


async def pair(reactor, server=None):
    """A server's and a client's Recorder, connected."""
    server, client = server or Recorder(), Recorder()
    port = reactor.listen_tcp(lambda: server)
    reactor.connect_tcp(client, "127.0.0.1", port.number)
    await asyncio.gather(server.made, client.made)
    return server, client


class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)
