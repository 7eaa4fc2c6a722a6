#!/usr/bin/env python3
"""Long computations and short ones, side by side."""

from harness import *

LONG = 1_000_000_000_000


@case
def answers():
    """primes are counted, and what is no number is refused"""
    with server("cooperate") as ours, connect(ours.port()) as peer:
        for question, answer in ((1, 0), (2, 1), (10, 4), (100, 25), (10_000, 1229)):
            peer.sendall(f"{question}\n".encode())
            check_equal(receive_line(peer), f"{answer} primes up to {question}")
        for nonsense in ("", "ten", "-1", "10x", LONG + 1):
            peer.sendall(f"{nonsense}\n".encode())
            check_equal(receive_line(peer), "a number, please")
        ours.stop()


@case
def side_by_side():
    """a short question is answered while long ones are computed; who leaves is not computed for"""
    with server("cooperate", "--slice", 1) as ours:
        with connect(ours.port()) as patient, connect(ours.port()) as quick:
            patient.sendall(f"{LONG}\n{LONG}\n".encode())
            quick.sendall(b"100\n")
            check_equal(receive_line(quick), "25 primes up to 100")
            patient.sendall(b"10\n")
            check_equal(receive_line(patient), "4 primes up to 10")
            patient.close()
            quick.sendall(b"1000\n")
            check_equal(receive_line(quick), "168 primes up to 1000")
        ours.stop()
        check_equal(ours.err.text(), "")


@case
def stopped():
    """the server ends in order in the middle of a computation"""
    with server("cooperate") as ours, connect(ours.port()) as peer:
        peer.sendall(f"{LONG}\n10\n".encode())
        check_equal(receive_line(peer), "4 primes up to 10")
        ours.stop()
        check_equal(ours.err.text(), "")


main()
