#!/usr/bin/env python3
"""An echo on Twisted's epoll reactor."""

import signal

from twisted.internet import epollreactor

epollreactor.install()

from twisted.internet import protocol, reactor  # noqa: E402  after the reactor was chosen


class Echo(protocol.Protocol):
    def connectionMade(self):
        self.transport.setTcpNoDelay(True)

    def dataReceived(self, data):
        self.transport.write(data)


class EchoFactory(protocol.Factory):
    noisy = False
    protocol = Echo


# Ends by itself when it was forgotten.
signal.alarm(600)
port = reactor.listenTCP(0, EchoFactory(), backlog=4096, interface="127.0.0.1")
print("READY", port.getHost().port, flush=True)
reactor.run()
