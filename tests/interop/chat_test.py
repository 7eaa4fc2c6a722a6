#!/usr/bin/env python3
"""Three people in the chat."""

from harness import *


def enter(port, name):
    peer = connect(port)
    check_equal(receive_line(peer), "What is your name?")
    peer.sendall(f"{name}\r\n".encode())
    check_equal(receive_line(peer), f"Welcome, {name}.")
    return peer


@case
def three():
    """what one says the two others hear, and who comes and leaves"""
    with server("chat_server") as ours:
        with enter(ours.port(), "ann") as ann, enter(ours.port(), "bob") as bob:
            check_equal(receive_line(ann), "* bob has come")
            with enter(ours.port(), "cid") as cid:
                check_equal(receive_line(ann), "* cid has come")
                check_equal(receive_line(bob), "* cid has come")
                bob.sendall(b"hello, all\nsecond line\n")
                for peer in (ann, cid):
                    check_equal(receive_line(peer), "<bob> hello, all")
                    check_equal(receive_line(peer), "<bob> second line")
            for peer in (ann, bob):
                check_equal(receive_line(peer), "* cid has left")
            ann.sendall(b"he is gone\n")
            check_equal(receive_line(bob), "<ann> he is gone")
        ours.stop()


@case
def names():
    """a name that is taken is asked for again, and free once its owner has left"""
    with server("chat_server") as ours, connect(ours.port()) as second:
        check_equal(receive_line(second), "What is your name?")
        with enter(ours.port(), "ann"):
            second.sendall(b"ann\n")
            check_equal(receive_line(second), "That name is taken. What is your name?")
            second.sendall(b"\n")
            check_equal(receive_line(second), "That name is taken. What is your name?")
            second.sendall(b"bob\n")
            check_equal(receive_line(second), "Welcome, bob.")
        check_equal(receive_line(second), "* ann has left")
        with enter(ours.port(), "ann"):
            check_equal(receive_line(second), "* ann has come")


@case
def too_long():
    """somebody who writes a line without an end is thrown out, and the others stay"""
    with server("chat_server") as ours, enter(ours.port(), "ann") as ann:
        with enter(ours.port(), "bob") as bob:
            check_equal(receive_line(ann), "* bob has come")
            bob.sendall(b"x" * 1100)
            check_equal(receive_all(bob), b"")
        check_equal(receive_line(ann), "* bob has left")


main()
