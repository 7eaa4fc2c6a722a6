#!/usr/bin/env python3
"""The reactor inside of Python's asyncio: the example as a program, and its classes in a loop of this test's own.

TORSION_LIBRARY names the shared library.
"""

import asyncio
import importlib.util
import re

from harness import *

SCRIPT = HERE.parents[1] / "examples" / "embedding" / "asyncio_host.py"
MESSAGES = 10_000
IDLE = 2.0  # s

if not os.path.exists(os.environ.get("TORSION_LIBRARY", "")):
    skip("there is no shared library of Torsion", "hosts")

spec = importlib.util.spec_from_file_location("asyncio_host", SCRIPT)
host = importlib.util.module_from_spec(spec)
spec.loader.exec_module(host)
host.load().torsion_set_log(None, 5, None)


def hosted(*words):
    return Program(sys.executable, SCRIPT, "--port", 0, *words, stdin=subprocess.DEVNULL)


def within(function):
    """Runs a case's coroutine with a reactor inside of a loop."""

    async def run():
        async with host.Reactor() as reactor:
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


class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)


@case
def answers():
    """the server answers beside the loop's own timer, and a signal ends it in order"""
    for number in (signal.SIGTERM, signal.SIGINT):
        with hosted("--tick", 0.02) as ours:
            serves_until_signalled(ours, number)


@case
def cannot_listen():
    """a port that is taken is told in one line"""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with Program(sys.executable, SCRIPT, "--port", taken.getsockname()[1]) as ours:
            ours.finish(1)
            told = ours.err.text()
            check(re.fullmatch(r"asyncio_host: .*torsion_listen_tcp: .*EADDRINUSE.*\n", told), told)


@within
async def many_messages(reactor):
    """10,000 messages come back, one by one"""
    done = asyncio.get_running_loop().create_future()
    count = 0

    def next_one(protocol, _):
        nonlocal count
        while protocol.received.startswith(b"sixteen bytes..."):
            protocol.received = protocol.received[16:]
            count += 1
            if count == MESSAGES:
                done.set_result(None)
            else:
                protocol.transport.write(b"sixteen bytes...")

    port, _ = reactor.listen_tcp(Echo)
    client = Recorder(next_one)
    reactor.connect_tcp(client, "127.0.0.1", port)
    (await client.made).write(b"sixteen bytes...")
    await done
    check_equal(client.received, b"")


@within
async def timers(reactor):
    """timers that the host's callbacks arm fire, in order and never early"""
    loop = asyncio.get_running_loop()
    fired = []
    for delay in (0.03, 0.0, 0.01):
        due = loop.time() + delay
        done = loop.create_future()

        def fire(due=due, done=done):
            fired.append(loop.time() >= due)
            done.set_result(None)

        loop.call_soon(reactor.call_later, delay, fire)
        await done
    check_equal(fired, [True] * 3)


@within
async def idle(reactor):
    """an idle reactor, with a connection and a timer far off, is not dispatched"""
    port, _ = reactor.listen_tcp(Echo)
    client = Recorder()
    reactor.connect_tcp(client, "127.0.0.1", port)
    reactor.call_later(3600, lambda: None)
    await client.made
    await asyncio.sleep(0.2)
    before = reactor.dispatches
    await asyncio.sleep(IDLE)
    check_equal(reactor.dispatches - before, 0)


@within
async def exceptions(reactor):
    """what a callback raises is told to asyncio and drops its connection; others go on"""
    told = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: told.append(context))

    def complain(_, data):
        if data == b"bad":
            raise ValueError("not that word")

    server = Recorder(complain)
    port, stop = reactor.listen_tcp(lambda: server)
    client = Recorder()
    reactor.connect_tcp(client, "127.0.0.1", port)
    (await client.made).write(b"bad")
    error = await server.lost
    check("CallbackError" in str(error) and "not that word" in str(error), error)
    check("reset" in str(await client.lost), client.lost.result())
    check_equal([type(context["exception"]) for context in told], [ValueError])

    def fail():
        raise KeyError("in a timer")

    reactor.call_later(0, fail)
    stop()
    port, _ = reactor.listen_tcp(Echo)
    client = Recorder(lambda protocol, _: protocol.transport.close())
    reactor.connect_tcp(client, "127.0.0.1", port)
    (await client.made).write(b"good")
    check_equal(await client.lost, None)
    check_equal(client.received, b"good")
    check_equal([type(context["exception"]) for context in told], [ValueError, KeyError])


@within
async def refused(reactor):
    """an attempt that comes to nothing is told"""
    holder, port = unused_port()
    with holder:
        client = Recorder()
        reactor.connect_tcp(client, "127.0.0.1", port)
        error = await client.failed
        check("ConnectionRefusedError" in str(error), error)
    check_error = False
    try:
        reactor.connect_tcp(client, "127.0.0.1", 70_000)
    except host.TorsionError as bad:
        check_error = "port 70000" in str(bad)
    check(check_error, "a port out of range")


@within
async def end(reactor):
    """the end of the reactor is told to its protocols, and another one may follow in the same loop"""
    server, client = Recorder(), Recorder()
    port, _ = reactor.listen_tcp(lambda: server)
    reactor.connect_tcp(client, "127.0.0.1", port)
    await asyncio.gather(server.made, client.made)
    await reactor.close()
    check(server.lost.done() and client.lost.done(), "connection_lost")
    server.transport.write(b"nothing happens")
    server.transport.abort()
    async with host.Reactor() as other:
        port, _ = other.listen_tcp(Echo)
        client = Recorder(lambda protocol, _: protocol.transport.close())
        other.connect_tcp(client, "127.0.0.1", port)
        (await client.made).write(b"again")
        check_equal(await client.lost, None)


main()
