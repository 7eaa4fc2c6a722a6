"""Starts the servers that the generator loads, and ends them."""

import os
import selectors
import subprocess
import time


class DidNotStart(Exception):
    """The server printed no READY line."""


class Server:
    """A server process that has printed `READY port`; ends with the `with` block.

    words: its command; core: the processor that it is pinned to, or None; seconds: how long it may take to start.
    """

    def __init__(self, words, core=None, seconds=20, **options):
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, **options)
        try:
            if core is not None:
                os.sched_setaffinity(self.process.pid, {core})
            self.port = self._ready(time.monotonic() + seconds)
        except BaseException:
            self.end()
            raise

    def _ready(self, end):
        said = b""
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while b"\n" not in said.rpartition(b"READY ")[2] or b"READY " not in said:
                if not selector.select(max(0, end - time.monotonic())):
                    raise DidNotStart(f"{self.process.args[0]}: not ready in time")
                piece = os.read(self.process.stdout.fileno(), 4096)
                if not piece:
                    raise DidNotStart(f"{self.process.args[0]}: ended with status {self.process.wait()}")
                said += piece
        return int(said.partition(b"READY ")[2].split()[0])

    def end(self):
        """Asks it to end, and waits; the status that it ended with."""
        self.process.terminate()
        try:
            return self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()
        finally:
            self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()
