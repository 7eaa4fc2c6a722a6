#!/usr/bin/env python3
"""What every example does with its command line, and how it fails."""

import subprocess

from harness import *

SERVERS = ["chat_server", "echo_server", "proxy", "timestamp_server", "finger01", "finger02", "finger03", "finger04"]
SERVERS += ["finger05", "finger06", "finger07", "finger08", "http_server", "stream_timestamp_server"]
SERVERS += ["looping_clock", "cooperate", *hosts()]
CLIENTS = ["crawler", "echo_client", "http_get", "timestamp_client"]
ALL = SERVERS + CLIENTS + ["port_scanner", "socket_info"]


def run(name, *words):
    command = [str(EXAMPLES / name), *map(str, words)]
    nothing = subprocess.DEVNULL
    return subprocess.run(command, stdin=nothing, capture_output=True, timeout=PATIENCE, text=True, check=False)


def check_one_line(done, name, status, *parts):
    check_equal(done.returncode, status)
    check(done.stderr.startswith(f"{name}: ") and done.stderr.count("\n") == 1, repr(done.stderr))
    for part in parts:
        check(str(part) in done.stderr, f"{part!r} is not in {done.stderr!r}")



@case
def complete():
    """every program of the examples is known to this test"""
    programs = {path.name for path in EXAMPLES.iterdir() if path.is_file() and os.access(path, os.X_OK)}
    check_equal(sorted(programs), sorted(ALL))


@case
def help_text():
    """--help tells the options, with status 0"""
    for name in ALL:
        done = run(name, "--help")
        check_equal((name, done.returncode, done.stderr), (name, 0, ""))
        for option in ("--help", "--host", "--port", "--log-level"):
            check(option in done.stdout, f"{name} --help does not tell {option}")


@case
def wrong_usage():
    """wrong usage is one line and status 2"""
    for name in ALL:
        for words in (["--nonsense"], ["--port", "65536"], ["--port", "http"], ["--log-level", "loud"], ["extra"]):
            check_one_line(run(name, *words), name, 2)


@case
def port_in_use():
    """a port in use is one line that names it, and status 1"""
    listener, port = listen()
    with listener:
        for name in SERVERS:
            if name != "finger08":  # needs a file
                words = ["--set-port", 0] if name == "finger07" else []
                check_one_line(run(name, "--port", port, *words), name, 1, port)


@case
def bad_interface():
    """an interface that is no address, or not ours, is one line and status 1"""
    for interface in ("nonsense", "192.0.2.1"):
        check_one_line(run("echo_server", "--port", 0, "--host", interface), "echo_server", 1, interface)


@case
def refused():
    """a connection that cannot be made is one line that says where to and why, and status 1"""
    holder, port = unused_port()
    with holder:
        for name in CLIENTS:
            check_one_line(run(name, "--port", port), name, 1, port, "refused")


@case
def unknown_host():
    """a name that is none is one line that says so, and status 1"""
    for name in CLIENTS + ["socket_info"]:
        check_one_line(run(name, "--host", "no..name"), name, 1, "no..name")


@case
def signals():
    """SIGTERM and SIGINT end a server in order, a connection open or not"""
    for number in (signal.SIGTERM, signal.SIGINT):
        with server("echo_server") as ours, connect(ours.port()) as peer:
            peer.sendall(b"x")
            check_equal(receive_exactly(peer, 1), b"x")
            ours.process.send_signal(number)
            ours.finish()
            check_equal(receive_all(peer), b"")
    with server("echo_server") as ours:
        ours.port()
        ours.stop()


@case
def logs():
    """logs go to stderr, as many as --log-level wants"""
    for level, logged in (("info", True), ("off", False)):
        with server("echo_server", "--log-level", level) as ours:
            ours.port()
            check_equal(ours.stop(), f"READY {ours.port()}\n")
            check_equal(ours.err.text() != "", logged)


main()
