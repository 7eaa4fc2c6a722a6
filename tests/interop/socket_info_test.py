#!/usr/bin/env python3
"""What the name services say, beside what Python's socket module hears from them."""

import socket

from harness import *


def lines(*words):
    with example("socket_info", *words) as ours:
        return ours.finish().splitlines()


def number_of(protocol):
    try:
        return socket.getprotobyname(protocol)
    except OSError:
        return "?"


def service_on(port, protocol):
    try:
        return socket.getservbyport(port, protocol)
    except OSError:
        return "no service"


@case
def machine():
    """the machine's name, and the order of its bytes"""
    output = lines()
    check_equal(output[0], f"host name: {socket.gethostname()}")
    check(output[1].startswith("fully qualified: ") and output[1] != "fully qualified: ", output[1])
    swapped = socket.htonl(0x12345678)
    words = f"byte order: {sys.byteorder} endian; 0x12345678 is 0x{swapped:08x} in network order, and 0x12345678 back"
    check(output[2].startswith(words), output[2])


@case
def services():
    """the service on a port, and the numbers of its protocols"""
    for port in (80, 123, 65535):
        wanted = [
            f"port {port} of {protocol} (protocol {number_of(protocol)}): {service_on(port, protocol)}"
            for protocol in ("tcp", "udp")
        ]
        check_equal(lines("--port", port)[3:5], wanted)


@case
def hosts():
    """hosts by name and by address, several at a time, with their addresses' bytes"""
    output = lines("--host", "127.0.0.1,localhost")[5:]
    check_equal(output[0], "127.0.0.1: official name 127.0.0.1, aliases none")
    name = socket.gethostbyaddr("127.0.0.1")[0]
    address = f"  127.0.0.1 (packed {socket.inet_aton('127.0.0.1').hex()}): {name}"
    check_equal(output[1], address)
    check(output[2].startswith("localhost: official name "), output[2])
    check(address in output[3:], output)


@case
def unknown():
    """a host that is not known is one line on stderr that names it, and status 1"""
    with example("socket_info", "--host", "127.0.0.1,no..name") as ours:
        ours.finish(1)
        check("no..name" in ours.err.wait_end(), ours.err.text())


main()
