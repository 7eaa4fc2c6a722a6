#!/usr/bin/env python3
"""Includes go down, or sideways inside of a room; third parties are seen where they belong alone."""

import tree

# A room and the rooms that it may include. "contract" is what lies in reactor/ itself.
ROOMS = {
    "contract": set(),
    "core": {"contract"},
    "libuv": {"contract", "core"},
    "cares": {"contract", "core", "libuv"},
    "testing": {"contract", "core"},
    "simulated": {"contract", "core"},
    "tls": {"contract", "core"},
    "embedding": {"contract", "core", "libuv"},
    "protocols": {"contract"},
}
SEE_LIBUV = {"libuv"}
# What an adapter may include: its host.
HOSTS = {
    "reactor/embedding/asio.hpp": ("asio/",),
    "reactor/embedding/boost_asio.hpp": ("boost/asio/", "boost/system/"),
    "reactor/embedding/glib.hpp": ("glib.h",),
    "reactor/embedding/libevent.hpp": ("event2/",),
    "reactor/embedding/qt.hpp": ("Q",),
    "reactor/embedding/sd_event.hpp": ("systemd/",),
}
THIRD_PARTIES = ("spdlog/", "doctest/", "CLI/", "benchmark/", "openssl/", "boost/", "asio/", "asio.hpp")
THIRD_PARTIES += ("glib", "event2/", "systemd/", "Q", "gtk/")


def room_of(path):
    parts = path.split("/")
    if parts[0] == "protocols":
        return "protocols"
    return "contract" if len(parts) == 2 or parts[1] == "detail" else parts[1]


def problems_of(path):
    room = room_of(path)
    if room not in ROOMS:
        yield f"{path}: the room {room} is not known to {__file__}"
        return
    for name in tree.includes(path):
        if name.startswith(("reactor/", "protocols/")):
            other = room_of(name)
            if other != room and other not in ROOMS[room]:
                yield f"{path}: {room} must not include {name} ({other})"
            elif not (tree.ROOT / name).is_file():
                yield f"{path}: {name} is not there"
        elif name == "uv.h" or name.startswith("uv/"):
            if room not in SEE_LIBUV:
                yield f"{path}: <{name}> belongs into {' and '.join(sorted(SEE_LIBUV))}"
        elif name == "ares.h":
            if room != "cares" or path.endswith(".hpp"):
                yield f"{path}: <{name}> belongs into the sources of cares"
        elif name.startswith("fmt/"):
            yield f"{path}: <{name}> is <spdlog/fmt/…> here"
        elif name.startswith(HOSTS.get(path, "no host")):
            pass
        elif name.startswith(THIRD_PARTIES):
            in_source = path.endswith(".cpp") and name.startswith("spdlog/")
            if not in_source and path != "reactor/log.hpp":
                yield f"{path}: <{name}> is a third party's"
        elif (tree.ROOT / path).parent.joinpath(name).is_file():
            yield f"{path}: write <reactor/…> or <protocols/…> for {name}"


paths = tree.files("reactor", ".hpp", ".h", ".cpp") + tree.files("protocols", ".hpp", ".h", ".cpp")
tree.finish([problem for path in paths for problem in problems_of(path)])
