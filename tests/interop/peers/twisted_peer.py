"""What the peers on real Twisted share: --host, --port, `READY <port>`, and an end after a minute whatever happens."""

import argparse

from twisted.internet import reactor

MINUTE = 60


def arguments(**options):
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    for name, default in options.items():
        parser.add_argument(f"--{name}", type=type(default), default=default)
    return parser.parse_args()


def run():
    reactor.callLater(MINUTE, stop)
    reactor.run()


def stop():
    if reactor.running:
        reactor.stop()


def serve(options, factory):
    port = reactor.listenTCP(options.port, factory, interface=options.host)
    print("READY", port.getHost().port, flush=True)
    run()
