"""What the interop tests share: programs that are started, listened to and ended; peers that may be missing.

A test program is called with the folder of the examples, marks its cases with @case and ends with main(). Nothing waits
longer than PATIENCE seconds, servers listen on a port of the kernel's choice, and every process that was started is
ended by its id. Where a peer is missing the test skips (status 77), or fails if TORSION_REQUIRE names "peers"; where it
is a host for the reactor, "hosts".
"""

import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback

PATIENCE = 20.0
# What timestamp servers put before a message.
STAMP = r"\[[A-Z][a-z]{2} [A-Z][a-z]{2} [ 0-3]\d \d\d:\d\d:\d\d \d{4}\]"
HERE = pathlib.Path(__file__).resolve().parent
EXAMPLES = pathlib.Path(sys.argv[1])
HOSTS = ["asio_host", "boost_asio_host", "epoll_host", "frame_host", "glib_host", "libevent_host", "qt_window"]
HOSTS += ["sd_event_host", "thread_host", "uv_host"]
NAME = pathlib.Path(sys.argv[0]).stem.removesuffix("_test").replace("_", " ")

# Windows are not shown. What draws them complains when there is no such folder.
os.environ["QT_QPA_PLATFORM"] = "offscreen"
_runtime = tempfile.TemporaryDirectory(prefix="torsion-interop-")
os.environ.setdefault("XDG_RUNTIME_DIR", _runtime.name)

_cases = []


def case(function):
    """Marks a case: a function without arguments that raises when something is wrong."""
    _cases.append(function)
    return function


def main():
    failed = 0
    for function in _cases:
        try:
            function()
            print("ok   ", function.__doc__, flush=True)
        except Exception:  # noqa: BLE001 - a case fails with whatever it raises
            failed += 1
            print("FAIL ", function.__doc__, flush=True)
            traceback.print_exc()
    print(f"{len(_cases)} cases, {failed} failed")
    sys.exit(1 if failed else 0)


def skip(reason, kind="peers"):
    print(f"[skip] {kind}: interop {NAME} ({reason})", flush=True)
    sys.exit(1 if kind in os.environ.get("TORSION_REQUIRE", "").split(",") else 77)


def need_program(name):
    """The path of a program, or the test is skipped."""
    return shutil.which(name) or skip(f"{name} is not installed")


def need_nc():
    """nc, the one that can pass the end of its input on, with the option for that; or the test is skipped."""
    path = need_program("nc")
    usage = subprocess.run([path, "-h"], capture_output=True, timeout=PATIENCE, check=False)
    return [path, "-N"] if b"OpenBSD" in usage.stderr else skip("nc is not OpenBSD's")


def need_twisted():
    """A Python that has Twisted, or the test is skipped."""
    for python in (sys.executable, "/usr/bin/python3"):
        if os.path.exists(python):
            done = subprocess.run([python, "-c", "import twisted"], capture_output=True, timeout=PATIENCE, check=False)
            if done.returncode == 0:
                return python
    return skip("Twisted is not installed")


def check(condition, *what):
    if not condition:
        raise AssertionError(" ".join(map(str, what)))


def check_equal(got, wanted):
    check(got == wanted, f"got {got!r}, wanted {wanted!r}")


class Output:
    """What a program prints, gathered by a thread."""

    def __init__(self, stream):
        self._stream = stream
        self._text = b""
        self._ended = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._gather, daemon=True)
        self._thread.start()

    def _gather(self):
        while chunk := self._stream.read1(65536):
            with self._changed:
                self._text += chunk
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def text(self):
        with self._changed:
            return self._text.decode(errors="replace")

    def wait_end(self):
        with self._changed:
            check(self._changed.wait_for(lambda: self._ended, PATIENCE), "the output does not end:", self._text)
        return self.text()

    def wait(self, pattern, count=1):
        """The last match of a pattern, once there are `count` of them."""
        expression = re.compile(pattern.encode(), re.M)

        def found():
            return len(expression.findall(self._text)) >= count or self._ended

        with self._changed:
            self._changed.wait_for(found, PATIENCE)
            matches = list(expression.finditer(self._text))
            check(len(matches) >= count, f"no {pattern!r} ({count}) in {self._text!r}")
            return matches[count - 1]


class Program:
    """A program that runs, in a `with` statement: it is not there any more afterwards."""

    def __init__(self, *words, stdin=subprocess.PIPE):
        self.process = subprocess.Popen(
            list(map(str, words)), stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self.out = Output(self.process.stdout)
        self.err = Output(self.process.stderr)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(PATIENCE)
        if self.process.stdin:
            try:
                self.process.stdin.close()
            except BrokenPipeError:
                pass
        self.out.wait_end()
        self.err.wait_end()
        self.process.stdout.close()
        self.process.stderr.close()

    def port(self, word="READY"):
        """The port that a server says it listens on."""
        return int(self.out.wait(rf"^{word} (\d+)$").group(1))

    def send(self, text):
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def end_input(self):
        self.process.stdin.close()

    def finish(self, status=0):
        """Waits for the program's own end; what it has printed."""
        got = self.process.wait(PATIENCE)
        check(got == status, f"exit status {got}, not {status}; stderr: {self.err.wait_end()!r}")
        return self.out.wait_end()

    def stop(self):
        """Ends a server with SIGTERM, which must be an orderly end."""
        self.process.send_signal(signal.SIGTERM)
        return self.finish()


def example(name, *words, **options):
    return Program(EXAMPLES / name, *words, **options)


def server(name, *words):
    return example(name, "--port", 0, *words, stdin=subprocess.DEVNULL)


def hosts():
    """The programs that have a reactor in another loop; each is built where its host is found."""
    return [name for name in HOSTS if (EXAMPLES / name).exists()]


def connect(port):
    peer = socket.create_connection(("127.0.0.1", port), PATIENCE)
    peer.settimeout(PATIENCE)
    return peer


def listen():
    """A listening socket, and its port."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(PATIENCE)
    return listener, listener.getsockname()[1]


def accept(listener):
    peer, _ = listener.accept()
    peer.settimeout(PATIENCE)
    return peer


def unused_port():
    """A port that nobody listens on; reserved as long as the socket that is returned with it is open."""
    holder = socket.socket()
    holder.bind(("127.0.0.1", 0))
    return holder, holder.getsockname()[1]


def receive_exactly(peer, size):
    data = bytearray()
    while len(data) < size:
        chunk = peer.recv(65536)
        check(chunk, f"the connection ended after {len(data)} of {size} bytes")
        data += chunk
    return bytes(data)


def receive_all(peer):
    data = bytearray()
    while chunk := peer.recv(65536):
        data += chunk
    return bytes(data)


def receive_line(peer, end=b"\n"):
    line = bytearray()
    while not line.endswith(end):
        byte = peer.recv(1)
        check(byte, f"the connection ended after {bytes(line)!r}")
        line += byte
    return bytes(line[: -len(end)]).decode()


def eventually(condition, what):
    """Asks until it holds; for what no event tells of."""
    end = time.monotonic() + PATIENCE
    while not condition():
        check(time.monotonic() < end, "never:", what)
        time.sleep(0.01)


def serves_until_signalled(ours, number):
    """The server `ours` answers beside its host's timer; after signal `number` everything is closed, and it ends."""
    with connect(ours.port()) as peer:
        peer.sendall(b"hello")
        answer = receive_exactly(peer, len("[Sat Nov 21 10:57:32 2026] hello")).decode()
        check(re.fullmatch(STAMP + " hello", answer), answer)
        ours.out.wait(r"^tick: 1 messages served$", 2)
        ours.process.send_signal(number)
        check_equal(receive_all(peer), b"")
    check(re.search(r"^\.\.\.connected from: 127\.0\.0\.1$", ours.finish(), re.M), ours.out.text())
    check(ours.out.text().endswith("stopped\n"), ours.out.text())
    check_equal(ours.err.text(), "")
