#!/usr/bin/env python3
"""The examples that await streams: the timestamp server, the pair of HTTP/1.0, and the crawler."""

import contextlib
import http.server
import re
import signal
import tempfile
import threading

from harness import *


class Pages:
    """A server of HTTP/1.0 that holds each request until `hold(number)` returns, and counts those in its hands."""

    def __init__(self, hold=lambda number: None):
        self._hold = hold
        self._listener, self.port = listen()
        self._changed = threading.Condition()
        self._present = 0
        self.most = 0
        self.answered = 0
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def wait(self, condition):
        with self._changed:
            return self._changed.wait_for(condition, PATIENCE)

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self._serve, args=(accept(self._listener),), daemon=True).start()

    def _serve(self, peer):
        with peer, contextlib.suppress(OSError, AssertionError):
            number = int(receive_line(peer, b"\r\n\r\n").split()[1][1:])
            with self._changed:
                self._present += 1
                self.most = max(self.most, self._present)
                self._changed.notify_all()
            self._hold(number)
            with self._changed:
                self._present -= 1
                self.answered += 1
                self._changed.notify_all()
            peer.sendall(f"HTTP/1.0 200 OK\r\n\r\npage {number}".encode())

    def close(self):
        self._listener.close()


@case
def timestamps():
    """the timestamp server of streams says who connects, answers messages of one peer in turn, and serves the client"""
    with server("stream_timestamp_server") as ours:
        with connect(ours.port()) as peer:
            for text in (b"hello", b"again"):
                peer.sendall(text)
                answer = receive_exactly(peer, len("[Sat Nov 21 10:57:32 2026] hello")).decode()
                check(re.fullmatch(f"{STAMP} {text.decode()}", answer), answer)
        with example("timestamp_client", "--port", ours.port()) as client:
            client.send("one\n\n")
            output = client.finish()
            check(re.fullmatch(rf"> \.\.\.sending one\.\.\.\n{STAMP} one\n> ", output), output)
        output = ours.stop()
        wanted = r"waiting for connection\.\.\.\nREADY \d+\n(\.\.\.connected from: 127\.0\.0\.1\n){2}"
        check(re.fullmatch(wanted, output), output)


@case
def half_close():
    """the timestamp server of streams closes when its peer has sent its last byte"""
    with server("stream_timestamp_server") as ours, connect(ours.port()) as peer:
        peer.sendall(b"last words")
        peer.shutdown(socket.SHUT_WR)
        check(re.fullmatch(STAMP + " last words", receive_all(peer).decode()), "the answer comes before the end")


@case
def http_pair():
    """http_get prints what http_server serves"""
    with server("http_server") as ours:
        for path in ("/", "/a/b"):
            with example("http_get", "--port", ours.port(), "--path", path) as client:
                check_equal(client.finish(), f"This is {path}.\n")
        with connect(ours.port()) as peer:
            peer.sendall(b"nonsense\r\n\r\n")
            check_equal(receive_all(peer), b"HTTP/1.0 400 Bad Request\r\n\r\n")
        ours.stop()


@case
def http_from_another_server():
    """http_get fetches a large file from Python's server, and fails in one line when there is no such page"""
    with tempfile.TemporaryDirectory() as folder:
        text = "".join(f"line {i}\n" for i in range(100_000))
        (pathlib.Path(folder) / "file.txt").write_text(text)

        class Quiet(http.server.SimpleHTTPRequestHandler):
            def __init__(self, *args):
                super().__init__(*args, directory=folder)

            def log_message(self, *_):
                pass

        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as theirs:
            threading.Thread(target=theirs.serve_forever, daemon=True).start()
            port = theirs.server_address[1]
            with example("http_get", "--port", port, "--path", "/file.txt") as client:
                check_equal(client.finish(), text)
            with example("http_get", "--port", port, "--path", "/missing") as client:
                check_equal(client.finish(1), "")
                check("404" in client.err.wait_end() and client.err.text().count("\n") == 1, client.err.text())
            theirs.shutdown()


@case
def http_cut():
    """http_get fails in one line when the server ends without an answer"""
    listener, port = listen()
    with listener, example("http_get", "--port", port) as client:
        accept(listener).close()
        client.finish(1)
        check_equal(client.err.wait_end().count("\n"), 1)


@case
def crawler_fetches():
    """the crawler fetches 100 pages, 10 at a time and never more"""
    first = threading.Barrier(10)

    def hold(number):
        if number <= 10:
            first.wait(PATIENCE)

    pages = Pages(hold)
    with example("crawler", "--port", pages.port) as ours:
        output = ours.finish()
    pages.close()
    check_equal(pages.most, 10)
    check_equal(output.count(" bytes, "), 100)
    check(output.endswith("\nfetched 100 of 100 pages\n"), output)


@case
def crawler_interrupted():
    """interrupted, the crawler says at once what it has fetched"""
    never = threading.Event()
    pages = Pages(lambda number: never.wait(PATIENCE) if number > 5 else None)
    with example("crawler", "--port", pages.port) as ours:
        ours.out.wait(r" bytes, ", 5)
        ours.process.send_signal(signal.SIGINT)
        output = ours.finish()
    never.set()
    pages.close()
    check(output.endswith("\ninterrupted: fetched 5 of 100 pages\n"), output)


@case
def crawler_and_server():
    """the crawler fetches from http_server"""
    with server("http_server", "--delay", 1) as theirs:
        with example("crawler", "--port", theirs.port(), "--parallel", 3, "--pages", 20) as ours:
            check(ours.finish().endswith("\nfetched 20 of 20 pages\n"), ours.out.text())
        theirs.stop()


main()
