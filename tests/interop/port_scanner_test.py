#!/usr/bin/env python3
"""The port scanner among open and closed ports of ours."""

import contextlib
import re
import socket

from harness import *


@case
def finds():
    """open ports are found, closed ones are not"""
    listener, port = listen()
    with listener, example("port_scanner", "--port", port) as ours:
        check_equal(ours.finish(), f"open {port}\n1 of 1 ports are open; 0 closed, 0 filtered, 0 errors\n")
    holder, port = unused_port()
    with holder, example("port_scanner", "--port", port) as ours:
        check_equal(ours.finish(), "0 of 1 ports are open; 1 closed, 0 filtered, 0 errors\n")


@case
def filtered():
    """a port that does not answer is filtered"""
    listener, port = listen()
    with listener, contextlib.ExitStack() as full:
        listener.listen(0)
        for _ in range(8):  # once the backlog is full, the kernel drops what comes
            peer = full.enter_context(socket.socket())
            peer.setblocking(False)
            peer.connect_ex(("127.0.0.1", port))
        with example("port_scanner", "--port", port, "--timeout", 100) as ours:
            check_equal(ours.finish(), "0 of 1 ports are open; 0 closed, 1 filtered, 0 errors\n")


@case
def errors():
    """what is neither is an error with its reason, and the program's failure"""
    with example("port_scanner", "--host", "255.255.255.255", "--port", 7) as ours:
        output = ours.finish(1)
        check(re.match(r"error 7: .*255\.255\.255\.255.+\n", output), output)
        check(output.endswith("0 of 1 ports are open; 0 closed, 0 filtered, 1 errors\n"), output)
        check("1 ports could not be tried" in ours.err.wait_end(), ours.err.text())


@case
def backwards():
    """a range that ends before it begins is wrong usage"""
    with example("port_scanner", "--port", 10, "--last", 9) as ours:
        check_equal(ours.finish(2), "")
        check("--last: 9 is below --port 10" in ours.err.wait_end(), ours.err.text())


@case
def a_range():
    """a range of ports is tried, few at a time as well as many"""
    listener, port = listen()
    first, last = max(1, port - 300), min(65535, port + 300)
    with listener:
        for parallel in (1, 64, 1024):
            words = ("--port", first, "--last", last, "--parallel", parallel, "--timeout", 20000)
            with example("port_scanner", *words) as ours:
                output = ours.finish()
                check(f"open {port}\n" in output, output)
                check(f" of {last - first + 1} ports are open; " in output, output)
                check(output.endswith(", 0 filtered, 0 errors\n"), output)
            while True:  # the backlog is empty for the next round
                listener.setblocking(False)
                try:
                    listener.accept()[0].close()
                except BlockingIOError:
                    break


main()
