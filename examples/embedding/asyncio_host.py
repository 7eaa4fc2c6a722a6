#!/usr/bin/env python3
"""A reactor inside of Python's asyncio, through the C interface: a timestamp server beside an asyncio timer.

    asyncio_host.py [--host ADDRESS] [--port NUMBER] [--tick SECONDS] [LIBRARY]

LIBRARY is libtorsion.so; without it TORSION_LIBRARY names it, or it is looked for in the build directory beside, and
where the system looks. Prints `READY <port>`; SIGINT and SIGTERM end it.

`Reactor` is all that a program of one's own needs: it serves protocols of asyncio's kind.
"""

import argparse
import asyncio
import ctypes
import os
import pathlib
import signal
import sys
import time
from ctypes import CFUNCTYPE, POINTER, Structure, byref, c_char_p, c_int, c_int64, c_size_t, c_void_p

ABI_VERSION = 1  # of reactor/embedding/torsion.h, from which the declarations are


class Reason(Structure):
    _fields_ = [("name", c_char_p), ("message", c_char_p), ("number", c_int), ("clean", c_int)]


class Options(Structure):
    _fields_ = [("size", c_size_t), ("single_descriptor", c_int), ("budget_us", c_int64)]


class ListenOptions(Structure):
    _fields_ = [
        ("size", c_size_t),
        ("interface", c_char_p),
        ("backlog", c_int),
        ("reuse_port", c_int),
        ("max_connections", c_size_t),
    ]


Function = CFUNCTYPE(None, c_void_p)
ConnectionFunction = CFUNCTYPE(None, c_void_p, c_void_p)
DataFunction = CFUNCTYPE(None, c_void_p, c_void_p, c_size_t, c_void_p)
LossFunction = CFUNCTYPE(None, c_void_p, POINTER(Reason), c_void_p)
FailureFunction = CFUNCTYPE(None, POINTER(Reason), c_void_p)


class Handlers(Structure):
    _fields_ = [
        ("size", c_size_t),
        ("connection_made", ConnectionFunction),
        ("data_received", DataFunction),
        ("connection_lost", LossFunction),
        ("read_connection_lost", ConnectionFunction),
        ("write_connection_lost", ConnectionFunction),
        ("connection_failed", FailureFunction),
        ("released", Function),
    ]


PROTOTYPES = {
    "torsion_set_log": [c_void_p, c_int, c_void_p],
    "torsion_destroy": [c_void_p],
    "torsion_descriptor": [c_void_p],
    "torsion_dispatch": [c_void_p],
    "torsion_start": [c_void_p],
    "torsion_stop": [c_void_p, c_int64],
    "torsion_on_stopped": [c_void_p, Function, c_void_p],
    "torsion_call_later": [c_void_p, c_int64, Function, c_void_p, c_void_p],
    "torsion_listen_tcp": [c_void_p, c_int, POINTER(Handlers), c_void_p, POINTER(ListenOptions), POINTER(c_void_p)],
    "torsion_connect_tcp": [c_void_p, c_char_p, c_int, POINTER(Handlers), c_void_p, c_void_p, c_void_p],
    "torsion_port_number": [c_void_p],
    "torsion_port_stop": [c_void_p, c_void_p, c_void_p],
    "torsion_port_release": [c_void_p],
    "torsion_connection_write": [c_void_p, c_char_p, c_size_t],
    "torsion_connection_lose": [c_void_p],
    "torsion_connection_abort": [c_void_p],
    "torsion_connection_fail": [c_void_p, c_char_p],
    "torsion_connection_peer": [c_void_p, c_char_p, c_size_t, POINTER(c_int)],
}


class TorsionError(OSError):
    """A function of the library failed."""


def find_library():
    named = os.environ.get("TORSION_LIBRARY")
    built = pathlib.Path(__file__).resolve().parents[2] / "build" / "libtorsion.so"
    return named or (str(built) if built.exists() else "libtorsion.so")


def load(path=None):
    """The library, whose functions raise TorsionError."""
    library = ctypes.CDLL(path or find_library())
    if library.torsion_abi_version() < ABI_VERSION:
        raise TorsionError("the library is older than this program")
    library.torsion_last_error.restype = c_char_p

    def check(result, *_):
        if result is None or result < -1:
            raise TorsionError(library.torsion_last_errno(), library.torsion_last_error().decode())
        return result

    for name, arguments in PROTOTYPES.items():
        function = getattr(library, name)
        function.argtypes = arguments
        function.errcheck = check
    library.torsion_new.argtypes = [POINTER(Options)]
    library.torsion_new.restype = c_void_p
    library.torsion_new.errcheck = check
    return library


class Transport(asyncio.Transport):
    """A connection of the reactor's, as asyncio's protocols use one. Does nothing once it is lost."""

    def __init__(self, reactor, handle):
        super().__init__({"peername": reactor.peer(handle)})
        self._library = reactor.library
        self._handle = handle
        self._closing = False

    def write(self, data):
        if self._closing:
            return
        try:
            self._library.torsion_connection_write(self._handle, bytes(data), len(data))
        except TorsionError:  # it is being lost, and connection_lost follows
            self._closing = True

    def close(self):
        if self._handle:
            self._library.torsion_connection_lose(self._handle)
        self._closing = True

    def abort(self):
        if self._handle:
            self._library.torsion_connection_abort(self._handle)
        self._closing = True

    def is_closing(self):
        return self._closing

    def fail(self, error):
        """Drops the connection for what a callback of its protocol has raised."""
        if self._handle:
            self._library.torsion_connection_fail(self._handle, repr(error).encode())
        self._closing = True

    def lost(self):
        self._handle = None
        self._closing = True


class Reactor:
    """A reactor that the running asyncio loop drives. No exception may leave a callback that C makes: each of these is
    caught here, told to the loop's exception handler, and drops its connection."""

    def __init__(self, library=None):
        self.library = library or load()
        self.loop = asyncio.get_running_loop()
        self.dispatches = 0
        self._connections = {}  # handle: (transport, protocol)
        self._factories = {}  # number that C is given: what makes protocols
        self._calls = {}  # number that C is given: what to call
        self._number = 0
        self._stopped = None
        # What C calls lives as long as the reactor.
        self._handlers = Handlers(
            size=ctypes.sizeof(Handlers),
            connection_made=ConnectionFunction(self._connection_made),
            data_received=DataFunction(self._data_received),
            connection_lost=LossFunction(self._connection_lost),
            connection_failed=FailureFunction(self._connection_failed),
            released=Function(self._released),
        )
        self._on_stopped = Function(self._tell_stopped)
        self._on_call = Function(self._make_call)
        # One descriptor tells of everything, so asyncio needs to know of nothing else.
        options = Options(size=ctypes.sizeof(Options), single_descriptor=1)
        self._handle = self.library.torsion_new(byref(options))
        self.library.torsion_on_stopped(self._handle, self._on_stopped, None)
        self.loop.add_reader(self.library.torsion_descriptor(self._handle), self._dispatch)
        self.library.torsion_start(self._handle)

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        await self.close()

    def listen_tcp(self, factory, host="127.0.0.1", port=0):
        """Serves the protocols that `factory()` makes. Returns the port's number, and what stops it."""
        options = ListenOptions(size=ctypes.sizeof(ListenOptions), interface=host.encode())
        handle = c_void_p()

        def begin(key):
            handlers = byref(self._handlers)
            self.library.torsion_listen_tcp(self._handle, port, handlers, key, byref(options), byref(handle))

        self._begin(factory, begin)

        def stop():
            self.library.torsion_port_stop(handle, None, None)
            self.library.torsion_port_release(handle)

        return self.library.torsion_port_number(handle), stop

    def connect_tcp(self, factory, host, port):
        """Connects a protocol that `factory()` makes once there is a connection; its `connection_failed(error)` is told
        when there will be none."""

        def begin(key):
            handlers = byref(self._handlers)
            self.library.torsion_connect_tcp(self._handle, host.encode(), port, handlers, key, None, None)

        self._begin(factory, begin)

    def call_later(self, seconds, function):
        """As asyncio's, by the reactor's clock."""
        key = self._remember(self._calls, function)
        self.library.torsion_call_later(self._handle, round(seconds * 1e9), self._on_call, key, None)

    async def close(self):
        """Closes ports and connections in order, then the reactor."""
        if not self._handle:
            return
        self._stopped = self.loop.create_future()
        self.library.torsion_stop(self._handle, 0)
        await self._stopped
        self.loop.remove_reader(self.library.torsion_descriptor(self._handle))
        self.library.torsion_destroy(self._handle)
        self._handle = None

    def peer(self, connection):
        host, port = ctypes.create_string_buffer(64), c_int()
        self.library.torsion_connection_peer(connection, host, len(host), byref(port))
        return host.value.decode(), port.value

    def _dispatch(self):
        self.dispatches += 1
        self.library.torsion_dispatch(self._handle)

    def _remember(self, table, what):
        self._number += 1
        table[self._number] = what
        return self._number

    def _begin(self, factory, begin):
        key = self._remember(self._factories, factory)
        try:
            begin(key)
        except TorsionError:
            del self._factories[key]
            raise

    def _guard(self, what, function, *arguments, transport=None):
        try:
            function(*arguments)
        except Exception as error:  # noqa: BLE001 - nothing may leave
            if transport:
                transport.fail(error)
            self.loop.call_exception_handler({"message": f"{what} failed", "exception": error})

    def _connection_made(self, connection, key):
        transport = Transport(self, connection)

        def make():
            protocol = self._factories[key]()
            self._connections[connection] = transport, protocol
            protocol.connection_made(transport)

        self._guard("connection_made", make, transport=transport)

    def _data_received(self, connection, data, size, _):
        if connection in self._connections:
            transport, protocol = self._connections[connection]
            received = ctypes.string_at(data, size)
            self._guard("data_received", protocol.data_received, received, transport=transport)

    def _connection_lost(self, connection, reason, _):
        if connection in self._connections:
            transport, protocol = self._connections.pop(connection)
            transport.lost()
            self._guard("connection_lost", protocol.connection_lost, as_error(reason.contents))

    def _connection_failed(self, reason, key):
        failed = getattr(self._factories[key], "connection_failed", None)
        if failed:
            self._guard("connection_failed", failed, as_error(reason.contents))

    def _released(self, key):
        del self._factories[key]

    def _make_call(self, key):
        self._guard("a timed call", self._calls.pop(key))

    def _tell_stopped(self, _):
        self._stopped.set_result(None)


def as_error(reason):
    """None for an orderly end."""
    return None if reason.clean else TorsionError(reason.number, f"{reason.name.decode()}: {reason.message.decode()}")


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
        port, _ = reactor.listen_tcp(TimestampServer, arguments.host, arguments.port)
        print(f"waiting for connection...\nREADY {port}", flush=True)
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
