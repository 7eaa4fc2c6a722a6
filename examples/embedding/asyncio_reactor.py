"""A reactor inside of Python's asyncio: with torsion_c.py, what a program of one's own takes along.

    async with Reactor() as reactor:
        port = reactor.listen_tcp(Echo)  # protocols are asyncio's
        reactor.connect_tcp(Client, "localhost", port.number)
"""

import asyncio
import ctypes
import itertools
import weakref
from ctypes import byref, c_int, c_size_t, c_void_p

from torsion_c import (
    ConnectionFunction,
    DataFunction,
    FailureFunction,
    Function,
    Handlers,
    ListenOptions,
    LossFunction,
    Options,
    Producer,
    TorsionError,
    as_error,
    load,
)


class Transport(asyncio.Transport):
    """A connection of the reactor's, as asyncio's protocols use one. Does nothing once it is lost."""

    def __init__(self, reactor, handle):
        super().__init__()
        self._reactor = reactor
        self._library = reactor.library
        self._handle = handle
        self._protocol = None
        self._closing = False
        self._reading = True
        self._paused = False  # the protocol was told pause_writing

    def write(self, data):
        if self._closing:
            return
        data = bytes(data)
        try:
            self._library.torsion_connection_write(self._handle, data, len(data))
        except TorsionError:  # it is being lost, and connection_lost follows
            self._closing = True
        self._reactor.raise_kept()

    def can_write_eof(self):
        return True

    def write_eof(self):
        self._end(self._library.torsion_connection_lose_write)

    def close(self):
        self._end(self._library.torsion_connection_lose)

    def abort(self):
        self._closing = True
        if self._handle:
            self._library.torsion_connection_abort(self._handle)

    def is_closing(self):
        return self._closing

    def pause_reading(self):
        if self._handle and self._reading:
            self._library.torsion_connection_pause_reading(self._handle)
            self._reading = False

    def resume_reading(self):
        if self._handle and not self._reading:
            self._library.torsion_connection_resume_reading(self._handle)
            self._reading = True

    def is_reading(self):
        return self._reading and not self._closing

    def get_protocol(self):
        return self._protocol

    def set_protocol(self, protocol):
        self._protocol = protocol

    def get_write_buffer_size(self):
        size = c_size_t()
        if self._handle:
            self._library.torsion_connection_buffered(self._handle, byref(size))
        return size.value

    def begin(self, protocol, producer):
        host, port = ctypes.create_string_buffer(64), c_int()
        self._library.torsion_connection_peer(self._handle, host, len(host), byref(port))
        self._extra["peername"] = host.value.decode(), port.value
        self._library.torsion_connection_register_producer(self._handle, byref(producer), None)
        self._protocol = protocol
        protocol.connection_made(self)

    def pause_writing(self):
        self._paused = True
        self._protocol.pause_writing()

    def resume_writing(self):
        if self._closing:
            self._release_end()
        if self._paused:
            self._paused = False
            self._protocol.resume_writing()

    def eof_received(self):
        if not self._protocol.eof_received():
            self.close()

    def fail(self, error):
        """Drops the connection for what a callback of its protocol has raised."""
        self._closing = True
        if self._handle:
            try:
                text = repr(error)
            except Exception:  # noqa: BLE001 - whatever a class's __repr__ does
                text = type(error).__name__
            self._library.torsion_connection_fail(self._handle, text.encode(errors="replace"))

    def lost(self, error):
        self._handle = None
        self._closing = True
        if self._protocol:
            self._protocol.connection_lost(error)

    def _end(self, end):
        self._closing = True
        if self._handle:
            end(self._handle)
            if not self._paused:
                self._release_end()

    def _release_end(self):
        """A connection with a producer waits for it before it ends. Ours has nothing to add."""
        if self._handle:
            self._library.torsion_connection_unregister_producer(self._handle)


class Port:
    """A port that listens until it is stopped, or the reactor is."""

    def __init__(self, reactor, handle):
        self._reactor = reactor
        self._handle = handle
        self.number = reactor.library.torsion_port_number(handle)

    def stop(self):
        """Stops accepting; connections live on. Does nothing once it is stopped."""
        if self._handle:
            self._reactor.library.torsion_port_stop(self._handle, None, None)
            self.forget()

    def forget(self):
        """Gives the handle back, which nobody may use afterwards."""
        handle, self._handle = self._handle, None
        if handle:
            self._reactor.library.torsion_port_release(handle)


class Reactor:
    """A reactor that an asyncio loop drives, on the loop's thread.

    What a callback raises is told to the loop's exception handler and drops its connection. SystemExit,
    KeyboardInterrupt and CancelledError drop it, too, and are raised in the loop: nothing is raised in a function that C
    calls, where it would be lost.
    """

    def __init__(self, library=None, loop=None):
        self.library = library or load()
        self.loop = loop or asyncio.get_running_loop()
        self.dispatches = 0
        self._numbers = itertools.count(1)  # that C is given in place of objects
        self._factories = {}  # number: what makes protocols
        self._calls = {}  # number: what to call
        self._connections = {}  # handle: transport
        self._ports = set()
        self._kept = None  # what is to be raised once C has returned
        self._stopped = None  # from stop() on: a future
        self._closes = False
        self._destroyed = False
        self._make_functions()
        # One descriptor tells of everything, so asyncio needs to know of nothing else.
        options = Options(size=ctypes.sizeof(Options), single_descriptor=1)
        self._handle = self.library.torsion_new(byref(options))
        # Held as long as this object is: after the end, and on other threads, C refuses what is asked.
        self.library.torsion_retain(self._handle)
        weakref.finalize(self, self.library.torsion_release, self._handle)
        self.library.torsion_on_stopped(self._handle, self._on_stopped, None)
        self._descriptor = self.library.torsion_descriptor(self._handle)
        self.loop.add_reader(self._descriptor, self._dispatch)
        self.start()

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        await self.close()

    def listen_tcp(self, factory, host="127.0.0.1", port=0):
        """Serves the protocols that `factory()` makes. Returns the Port."""
        options = ListenOptions(size=ctypes.sizeof(ListenOptions), interface=host.encode())
        handle, handlers = c_void_p(), byref(self._handlers)

        def begin(key):
            self.library.torsion_listen_tcp(self._handle, port, handlers, key, byref(options), byref(handle))

        self._begin(self._factories, factory, begin)
        self._ports.add(made := Port(self, handle))
        return made

    def connect_tcp(self, factory, host, port):
        """Connects a protocol that `factory()` makes once there is a connection; `connection_failed(error)` of the
        factory, when it has one, is told when there will be none."""

        def begin(key):
            handlers = byref(self._handlers)
            self.library.torsion_connect_tcp(self._handle, host.encode(), port, handlers, key, None, None)

        self._begin(self._factories, factory, begin)

    def call_later(self, seconds, function):
        """As asyncio's, by the reactor's clock."""
        delay = round(seconds * 1e9)

        def begin(key):
            self.library.torsion_call_later(self._handle, delay, self._on_call, key, None)

        self._begin(self._calls, function, begin)

    def call_soon_threadsafe(self, function):
        """As asyncio's: has it called on the loop's thread. Any thread."""

        def begin(key):
            self.library.torsion_call_from_thread(self._handle, self._on_call, key)

        self._begin(self._calls, function, begin)

    def start(self):
        """Begins again after stop(); a new reactor has begun."""
        self.library.torsion_start(self._handle)
        self._stopped = None

    async def stop(self):
        """Closes ports and connections in order. When this is cancelled the stop goes on; it can be called again."""
        if self._destroyed:
            return
        if self._stopped is None:
            for port in self._ports.copy():
                self._ports.discard(port)
                port.stop()
            self.library.torsion_stop(self._handle, 0)
            self._stopped = self.loop.create_future()
        await asyncio.shield(self._stopped)

    async def close(self):
        """stop(), and then the reactor's end; that comes, too, when this is cancelled."""
        self._closes = True
        if self._stopped is not None and self._stopped.done():
            self.destroy()
        await self.stop()

    def destroy(self):
        """Ends the reactor at once: protocols hear connection_lost inside of this call. Not for callbacks of the
        reactor's. The loop may be closed already."""
        if self._destroyed:
            return
        self._destroyed = True
        self.loop.remove_reader(self._descriptor)
        try:
            self.library.torsion_destroy(self._handle)
        except TorsionError:
            self._destroyed = False
            self.loop.add_reader(self._descriptor, self._dispatch)
            raise
        while self._ports:
            self._ports.pop().forget()
        self._calls.clear()
        self._tell_stopped()
        self.raise_kept()

    def raise_kept(self):
        kept, self._kept = self._kept, None
        if kept:
            raise kept

    def _dispatch(self):
        self.dispatches += 1
        self.library.torsion_dispatch(self._handle)
        self.raise_kept()

    def _begin(self, table, what, begin):
        key = next(self._numbers)
        table[key] = what
        try:
            begin(key)
        except TorsionError:
            del table[key]
            raise

    def _tell_stopped(self):
        if self._stopped is not None and not self._stopped.done() and not self.loop.is_closed():
            self._stopped.set_result(None)

    # From here on: what C calls.

    def _make_functions(self):
        """They live as long as the reactor."""
        self._handlers = Handlers(
            size=ctypes.sizeof(Handlers),
            connection_made=ConnectionFunction(self._guarded(self._connection_made)),
            data_received=DataFunction(self._guarded(self._data_received)),
            connection_lost=LossFunction(self._guarded(self._connection_lost)),
            read_connection_lost=ConnectionFunction(self._guarded(self._read_connection_lost)),
            connection_failed=FailureFunction(self._guarded(self._connection_failed)),
            released=Function(self._guarded(self._released)),
        )
        self._producer = Producer(
            size=ctypes.sizeof(Producer),
            resume=ConnectionFunction(self._guarded(self._resume_writing)),
            pause=ConnectionFunction(self._guarded(self._pause_writing)),
        )
        self._on_stopped = Function(self._guarded(self._has_stopped))
        self._on_call = Function(self._guarded(self._make_call))

    def _guarded(self, function):
        """Nothing leaves it: it is kept, to be raised once C has returned."""

        def call(*arguments):
            try:
                function(*arguments)
            except BaseException as error:  # noqa: BLE001
                self._kept = self._kept or error

        return call

    def _run(self, what, function, *arguments, transport=None):
        """Calls what is the program's."""
        try:
            function(*arguments)
        except BaseException as error:
            if transport:
                transport.fail(error)
            if not isinstance(error, Exception):
                raise
            self.loop.call_exception_handler({"message": f"{what} failed", "exception": error})

    def _connection_made(self, connection, key):
        self._connections[connection] = transport = Transport(self, connection)

        def begin():
            transport.begin(self._factories[key](), self._producer)

        self._run("connection_made", begin, transport=transport)

    def _data_received(self, connection, data, size, _):
        transport = self._connections[connection]
        if protocol := transport.get_protocol():
            received = ctypes.string_at(data, size)
            self._run("data_received", protocol.data_received, received, transport=transport)

    def _read_connection_lost(self, connection, _):
        transport = self._connections[connection]
        self._run("eof_received", transport.eof_received, transport=transport)

    def _pause_writing(self, connection, _):
        transport = self._connections[connection]
        self._run("pause_writing", transport.pause_writing, transport=transport)

    def _resume_writing(self, connection, _):
        transport = self._connections[connection]
        self._run("resume_writing", transport.resume_writing, transport=transport)

    def _connection_lost(self, connection, reason, _):
        transport = self._connections.pop(connection)
        self._run("connection_lost", transport.lost, as_error(reason.contents))

    def _connection_failed(self, reason, key):
        if failed := getattr(self._factories[key], "connection_failed", None):
            self._run("connection_failed", failed, as_error(reason.contents))

    def _released(self, key):
        del self._factories[key]

    def _make_call(self, key):
        self._run("a call", self._calls.pop(key))

    def _has_stopped(self, _):
        if self._closes:
            self.destroy()
        self._tell_stopped()
