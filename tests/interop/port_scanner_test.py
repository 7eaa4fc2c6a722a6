#!/usr/bin/env python3
"""The port scanner among open and closed ports of ours."""

from harness import *


@case
def finds():
    """open ports are found, closed ones are not"""
    listener, port = listen()
    with listener, example("port_scanner", "--port", port) as ours:
        check_equal(ours.finish(), f"open {port}\n1 of 1 ports are open\n")
    holder, port = unused_port()
    with holder, example("port_scanner", "--port", port) as ours:
        check_equal(ours.finish(), "0 of 1 ports are open\n")


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
                check(f" of {last - first + 1} ports are open\n" in output, output)
            while True:  # the backlog is empty for the next round
                listener.setblocking(False)
                try:
                    listener.accept()[0].close()
                except BlockingIOError:
                    break


main()
