#!/usr/bin/env python3
"""The reactor inside of Python's asyncio: what callbacks raise, and every way to end."""

import gc
import weakref

from asyncio_harness import *


@within
async def exceptions(reactor):
    """what a callback raises is told to asyncio and drops its connection; others go on"""
    told = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: told.append(context))

    def complain(_, data):
        if data == b"bad":
            raise ValueError("not that word")

    server = Recorder(complain)
    port = reactor.listen_tcp(lambda: server)
    client = Recorder()
    reactor.connect_tcp(client, "127.0.0.1", port.number)
    (await client.made).write(b"bad")
    error = await server.lost
    check("CallbackError" in str(error) and "not that word" in str(error), error)
    check("reset" in str(await client.lost), client.lost.result())
    check_equal([type(context["exception"]) for context in told], [ValueError])

    def fail():
        raise KeyError("in a timer")

    reactor.call_later(0, fail)
    port.stop()
    port = reactor.listen_tcp(Echo)
    client = Recorder(lambda protocol, _: protocol.transport.close())
    reactor.connect_tcp(client, "127.0.0.1", port.number)
    (await client.made).write(b"good")
    check_equal(await client.lost, None)
    check_equal(client.received, b"good")
    check_equal([type(context["exception"]) for context in told], [ValueError, KeyError])


@within
async def end(reactor):
    """the end of the reactor is told to its protocols, and another one may follow in the same loop"""
    server, client = await pair(reactor)
    await reactor.close()
    check(server.lost.done() and client.lost.done(), "connection_lost")
    server.transport.write(b"nothing happens")
    server.transport.abort()
    async with Reactor() as other:
        port = other.listen_tcp(Echo)
        client = Recorder(lambda protocol, _: protocol.transport.close())
        other.connect_tcp(client, "127.0.0.1", port.number)
        (await client.made).write(b"again")
        check_equal(await client.lost, None)


@within
async def restart(reactor):
    """a reactor that was stopped begins again, any number of times"""
    for _ in range(3):
        server, client = await pair(reactor)
        await reactor.stop()
        check(server.lost.done() and client.lost.done(), "connection_lost")
        reactor.start()
    await pair(reactor)


@case
def loop_first():
    """the loop may end, and be closed, before the reactor: then its end still is told to its protocols"""
    loop = asyncio.new_event_loop()
    reactor = Reactor(loop=loop)
    server, client = loop.run_until_complete(asyncio.wait_for(pair(reactor), PATIENCE))
    lost = []
    server.connection_lost = client.connection_lost = lost.append
    reactor.call_later(0, lambda: lost.append("a call"))
    loop.close()
    reactor.destroy()
    check_equal([type(error) for error in lost], [TorsionError] * 2)
    reactor.destroy()


@within
async def reactor_first(reactor):
    """the reactor may be destroyed under its connections, but not in a callback; the loop goes on"""
    server, client = await pair(reactor)
    refused = asyncio.get_running_loop().create_future()

    def destroy():
        check_refused("inside of a callback", reactor.destroy)
        refused.set_result(None)

    reactor.call_later(0, destroy)
    await refused
    client.transport.write(b"not sent")
    reactor.destroy()
    check(server.lost.done() and client.lost.done(), "connection_lost")
    client.transport.write(b"nothing happens")
    client.transport.close()
    await asyncio.sleep(0)  # the loop goes round, and finds nothing of the reactor's
    check_refused("destroyed", reactor.call_later, 0, print)
    check_refused("destroyed", reactor.listen_tcp, Echo)
    await reactor.close()


@within
async def port_handles(reactor):
    """a port may be stopped twice, after the reactor's end, or never; nothing of it is kept"""
    factories = [lambda: Echo() for _ in range(3)]
    ports = [reactor.listen_tcp(factory) for factory in factories]
    kept = weakref.WeakSet(factories)
    factories.clear()
    ports[0].stop()
    ports[0].stop()
    await asyncio.sleep(0)
    ports[0].stop()
    await reactor.close()
    ports[0].stop()
    ports[1].stop()
    gc.collect()
    check_equal(len(kept), 0)


@within
async def closing(reactor):
    """close() that is cancelled goes on; it may be called again, and by several at once"""
    await pair(reactor)
    closing = asyncio.create_task(reactor.close())
    await asyncio.sleep(0)
    closing.cancel()
    check_equal(await asyncio.gather(closing, return_exceptions=True) != [None], True)
    await asyncio.gather(reactor.close(), reactor.close(), reactor.stop())
    check_refused("destroyed", reactor.start)
    await reactor.close()


@within
async def every_callback(reactor):
    """whichever callback raises: asyncio is told, and the connection is dropped"""
    told = asyncio.Queue()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.put_nowait(context))
    writes = b"x" * 10_000_000

    def protocol_with(name):
        def fail(*_):
            raise ValueError(name)

        class Failing(asyncio.Protocol):
            def connection_made(self, transport):
                if name == "pause_writing":
                    transport.write(writes)

        setattr(Failing, name, fail)
        return fail if name == "factory" else Failing

    async def provoke(number):
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", number)
            writer.write(b"x")
            writer.write_eof()
            received = len(await reader.read())
            writer.close()
            return received
        except ConnectionResetError:
            return 0

    for name in ("factory", "connection_made", "data_received", "eof_received", "pause_writing", "connection_lost"):
        port = reactor.listen_tcp(protocol_with(name))
        received = await provoke(port.number)
        check(received < len(writes), name, "drops nothing")
        error = (await told.get())["exception"]
        check_equal((type(error), str(error)), (ValueError, name))
        port.stop()
    check(told.empty(), "told twice")


@case
def exits():
    """sys.exit() in a callback ends the program with that status, and everything is closed; a KeyboardInterrupt, too"""
    for error in (SystemExit(5), KeyboardInterrupt()):
        heard = []

        class Exiting(asyncio.Protocol):
            def data_received(self, data):
                raise error

            def connection_lost(self, reason):
                heard.append(str(reason))

        async def run():
            async with Reactor() as reactor:
                port = reactor.listen_tcp(Exiting)
                _, writer = await asyncio.open_connection("127.0.0.1", port.number)
                writer.write(b"x")
                await asyncio.sleep(PATIENCE)

        try:
            asyncio.run(run())
            check(False, "the program goes on")
        except (SystemExit, KeyboardInterrupt) as raised:
            check(raised is error, repr(raised))
        check(len(heard) == 1 and "CallbackError" in heard[0], heard)


@within
async def cancelled(reactor):
    """a CancelledError in a callback drops the connection and is told to asyncio, as in a callback of its own"""
    told = asyncio.Queue()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.put_nowait(context))

    def cancel(protocol, data):
        raise asyncio.CancelledError

    server, client = await pair(reactor, Recorder(cancel))
    client.transport.write(b"x")
    check("CallbackError" in str(await server.lost), server.lost.result())
    check_equal(type((await told.get())["exception"]), asyncio.CancelledError)


main()
