#!/usr/bin/env python3
"""The steps of the finger tutorial, asked with nc."""

import subprocess
import tempfile

from harness import *

NC = need_nc()


def ask(port, text):
    """What nc prints, which ends when the server closes."""
    words = [*NC, "127.0.0.1", str(port)]
    done = subprocess.run(words, input=text.encode(), capture_output=True, timeout=PATIENCE, check=False)
    return done.stdout.decode()


def check_answers(name, **answers):
    with server(name) as ours:
        for user, answer in answers.items():
            check_equal(ask(ours.port(), f"{user}\r\n"), answer)
        ours.stop()


@case
def first():
    """finger01 listens, says nothing, and closes when its peer does"""
    check_answers("finger01", alice="")


@case
def second():
    """finger02 closes at once, without being asked"""
    with server("finger02") as ours, connect(ours.port()) as peer:
        check_equal(receive_all(peer), b"")


@case
def third():
    """finger03 closes after a line, and not before"""
    with server("finger03") as ours:
        check_equal(ask(ours.port(), "alice\r\n"), "")
        with connect(ours.port()) as peer:
            peer.sendall(b"alice\r")
            peer.sendall(b"\n")
            check_equal(receive_all(peer), b"")


@case
def fourth():
    """finger04 knows nobody"""
    check_answers("finger04", alice="No such user\r\n")


@case
def fifth_and_sixth():
    """finger05 and finger06 know two users"""
    for name in ("finger05", "finger06"):
        check_answers(name, alice="Reading.\r\n", bob="Gone fishing.\r\n", carol="No such user\r\n")


@case
def seventh():
    """finger07 knows whom its second port was told of"""
    with server("finger07", "--set-port", 0) as ours:
        check_equal(ask(ours.port(), "carol\r\n"), "No such user\r\n")
        with connect(ours.port("SET")) as peer:
            peer.sendall(b"carol Writing a book.\r\nnonsense\r\n")
            check_equal(receive_line(peer, b"\r\n"), "ok")
            check_equal(receive_line(peer, b"\r\n"), "NAME TEXT, please")
        check_equal(ask(ours.port(), "carol\r\n"), "Writing a book.\r\n")


@case
def eighth():
    """finger08 knows the users of a file, and sees that it changes"""
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/users.txt"
        write(path, "ann Sleeping.\nbob Out for lunch.\n")
        with server("finger08", "--users", path, "--interval", 20) as ours:
            port = ours.port()
            check_equal(ask(port, "bob\r\n"), "Out for lunch.\r\n")
            check_equal(ask(port, "\r\n"), "ann\r\nbob\r\n")
            write(path, "ann Awake.\n")
            eventually(lambda: ask(port, "ann\r\n") == "Awake.\r\n", "the changed file is read")
            check_equal(ask(port, "bob\r\n"), "No such user\r\n")
            ours.stop()


@case
def no_file():
    """finger08 says that it cannot read its users"""
    with server("finger08", "--users", "/nowhere/users.txt") as ours:
        ours.finish(1)
        check_equal(ours.err.text(), "finger08: cannot read the users in /nowhere/users.txt\n")


def write(path, text):
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(path + ".new", path)


main()
