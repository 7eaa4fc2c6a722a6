"""torsion.h for Python: its structures and functions, through ctypes."""

import ctypes
import os
import pathlib
from ctypes import CFUNCTYPE, POINTER, Structure, c_char_p, c_int, c_int64, c_size_t, c_void_p

ABI_VERSION = 1  # of reactor/embedding/torsion.h, from which the declarations are


class Reason(Structure):
    _fields_ = [("name", c_char_p), ("message", c_char_p), ("number", c_int), ("clean", c_int)]


class Options(Structure):
    _fields_ = [
        ("size", c_size_t),
        ("single_descriptor", c_int),
        ("budget_us", c_int64),
        ("patience_ms", c_int64),
    ]


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


class Producer(Structure):
    _fields_ = [
        ("size", c_size_t),
        ("resume", ConnectionFunction),
        ("pause", ConnectionFunction),
        ("stop", ConnectionFunction),
    ]


PROTOTYPES = {
    "torsion_set_log": [c_void_p, c_int, c_void_p],
    "torsion_destroy": [c_void_p],
    "torsion_retain": [c_void_p],
    "torsion_release": [c_void_p],
    "torsion_descriptor": [c_void_p],
    "torsion_dispatch": [c_void_p],
    "torsion_start": [c_void_p],
    "torsion_stop": [c_void_p, c_int64],
    "torsion_on_stopped": [c_void_p, Function, c_void_p],
    "torsion_call_from_thread": [c_void_p, Function, c_void_p],
    "torsion_call_later": [c_void_p, c_int64, Function, c_void_p, c_void_p],
    "torsion_listen_tcp": [c_void_p, c_int, POINTER(Handlers), c_void_p, POINTER(ListenOptions), POINTER(c_void_p)],
    "torsion_connect_tcp": [c_void_p, c_char_p, c_int, POINTER(Handlers), c_void_p, c_void_p, c_void_p],
    "torsion_port_number": [c_void_p],
    "torsion_port_stop": [c_void_p, c_void_p, c_void_p],
    "torsion_port_release": [c_void_p],
    "torsion_connection_write": [c_void_p, c_char_p, c_size_t],
    "torsion_connection_lose": [c_void_p],
    "torsion_connection_lose_write": [c_void_p],
    "torsion_connection_abort": [c_void_p],
    "torsion_connection_fail": [c_void_p, c_char_p],
    "torsion_connection_pause_reading": [c_void_p],
    "torsion_connection_resume_reading": [c_void_p],
    "torsion_connection_register_producer": [c_void_p, POINTER(Producer), c_void_p],
    "torsion_connection_unregister_producer": [c_void_p],
    "torsion_connection_buffered": [c_void_p, POINTER(c_size_t)],
    "torsion_connection_peer": [c_void_p, c_char_p, c_size_t, POINTER(c_int)],
}


class TorsionError(OSError):
    """A function of the library failed."""


def find_library():
    named = os.environ.get("TORSION_LIBRARY")
    built = pathlib.Path(__file__).resolve().parents[2] / "build" / "libtorsion.so"
    return named or (str(built) if built.exists() else "libtorsion.so")


def load(path=None):
    """The library, whose functions raise TorsionError. Without a path TORSION_LIBRARY names it, or it is looked for in
    the build directory beside, and where the system looks."""
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


def as_error(reason):
    """None for an orderly end."""
    text = f"{reason.name.decode()}: {reason.message.decode(errors='replace')}"
    return None if reason.clean else TorsionError(reason.number, text)
