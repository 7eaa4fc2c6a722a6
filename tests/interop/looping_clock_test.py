#!/usr/bin/env python3
"""The clock that counts for its peers."""

from harness import *


@case
def counts():
    """every peer hears its own ticks, as many as wanted, and then the end"""
    with server("looping_clock", "--interval", 5, "--count", 4) as ours:
        with connect(ours.port()) as first, connect(ours.port()) as second:
            for peer in (first, second):
                ticks = receive_all(peer).decode().splitlines()
                check_equal(ticks[0], "tick 1")
                numbers = [int(tick.removeprefix("tick ")) for tick in ticks]
                check_equal(numbers, sorted(set(numbers)))
                check(numbers[-1] >= 4, numbers)
                check(all(number < 4 for number in numbers[:-1]), numbers)
        ours.stop()


@case
def leaves():
    """a peer that leaves takes its clock along; the server ends in order while others listen"""
    with server("looping_clock", "--interval", 1) as ours:
        with connect(ours.port()) as first, connect(ours.port()) as second:
            check_equal(receive_line(first), "tick 1")
            first.close()
            for _ in range(20):
                receive_line(second)
            ours.stop()
            receive_all(second)
        check_equal(ours.err.text(), "")


main()
