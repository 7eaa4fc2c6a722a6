#!/usr/bin/env python3
"""The reactor inside of Python's asyncio: the example as a program, and its classes in a loop of this test's own."""

from asyncio_harness import *

MESSAGES = 10_000
IDLE = 2.0  # s


def hosted(*words):
    return Program(sys.executable, SCRIPT, "--port", 0, *words, stdin=subprocess.DEVNULL)


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

    port = reactor.listen_tcp(Echo)
    client = Recorder(next_one)
    reactor.connect_tcp(client, "127.0.0.1", port.number)
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
    port = reactor.listen_tcp(Echo)
    client = Recorder()
    reactor.connect_tcp(client, "127.0.0.1", port.number)
    reactor.call_later(3600, lambda: None)
    await client.made
    await asyncio.sleep(0.2)
    before = reactor.dispatches
    await asyncio.sleep(IDLE)
    check_equal(reactor.dispatches - before, 0)


@within
async def refused(reactor):
    """an attempt that comes to nothing is told"""
    holder, port = unused_port()
    with holder:
        client = Recorder()
        reactor.connect_tcp(client, "127.0.0.1", port)
        error = await client.failed
        check("ConnectionRefusedError" in str(error), error)
    check_refused("port 70000", reactor.connect_tcp, client, "127.0.0.1", 70_000)


@case
def before_the_loop():
    """timers and connections that are begun before the loop runs are there once it does"""
    loop = asyncio.new_event_loop()
    reactor = Reactor(loop=loop)
    fired = loop.create_future()
    reactor.call_later(0.01, lambda: fired.set_result(loop.is_running()))

    async def run():
        client = Recorder(lambda protocol, _: protocol.transport.close())
        reactor.connect_tcp(client, "127.0.0.1", port.number)
        (await client.made).write(b"early")
        check_equal(await client.lost, None)
        check(await fired, "the timer fired outside of the loop")
        await reactor.close()

    port = reactor.listen_tcp(Echo)
    loop.run_until_complete(asyncio.wait_for(run(), PATIENCE))
    loop.close()


@within
async def threads(reactor):
    """what other threads ask for is called on the loop's, in order; once the reactor is closed they are refused"""
    loop, called = asyncio.get_running_loop(), []
    done = loop.create_future()

    def work():
        for number in range(100):
            reactor.call_soon_threadsafe(lambda number=number: called.append((number, threading.get_ident())))
        reactor.call_soon_threadsafe(lambda: done.set_result(None))

    await loop.run_in_executor(None, work)
    await done
    check_equal(called, [(number, threading.get_ident()) for number in range(100)])
    await reactor.close()
    await loop.run_in_executor(None, check_refused, "destroyed", reactor.call_soon_threadsafe, work)


@within
async def names(reactor):
    """names are looked up; one that there is not is told"""
    port = reactor.listen_tcp(Echo)
    client = Recorder(lambda protocol, _: protocol.transport.close())
    reactor.connect_tcp(client, "localhost", port.number)
    (await client.made).write(b"by name")
    check_equal(await client.lost, None)
    client = Recorder()
    reactor.connect_tcp(client, "no such name", port.number)
    error = await client.failed
    check("DNSLookupError" in str(error), error)


@within
async def streams(reactor):
    """asyncio's streams work on it: drain() waits for a peer that does not read, reading waits for us, ends are heard"""
    size, chunk = 8_000_000, b"x" * 100_000
    buffered = []
    paused = asyncio.Event()

    class Paused(asyncio.StreamReaderProtocol):
        def pause_writing(self):
            super().pause_writing()
            paused.set()

    async def serve(reader, writer):
        check_equal(await reader.readexactly(size), b"y" * size)
        for _ in range(size // len(chunk)):
            writer.write(chunk)
            await writer.drain()
            buffered.append(writer.transport.get_write_buffer_size())
        check_equal(await reader.read(), b"")
        writer.close()
        await writer.wait_closed()

    port = reactor.listen_tcp(lambda: Paused(asyncio.StreamReader(), serve))
    reader, writer = await asyncio.open_connection("127.0.0.1", port.number)
    writer.write(b"y" * size)
    await writer.drain()
    await paused.wait()
    check_equal(len(await reader.readexactly(size)), size)
    check(max(buffered) <= 2 * len(chunk), "drain() did not wait:", max(buffered))
    writer.write_eof()
    check_equal(await reader.read(), b"")
    writer.close()


@within
async def half_closed(reactor):
    """eof_received that returns True keeps our direction open; write_eof() ends it"""
    server, client = await pair(reactor)
    server.eof_received = lambda: server.transport.write(b"still here") or True
    client.transport.write_eof()
    while client.received != b"still here":
        await asyncio.sleep(0.001)
    check(not server.lost.done(), "lost")
    server.transport.close()
    check_equal(await client.lost, None)


main()
