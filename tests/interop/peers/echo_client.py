"""Sends --size bytes and checks that they come back; prints OK or FAIL."""

import hashlib

from twisted.internet import reactor
from twisted.internet.protocol import ClientFactory, Protocol

from twisted_peer import arguments, run, stop


class Client(Protocol):
    def connectionMade(self):
        self.received = hashlib.sha256()
        self.left = len(PAYLOAD)
        self.transport.write(PAYLOAD)

    def dataReceived(self, data):
        self.received.update(data)
        self.left -= len(data)
        if self.left <= 0:
            self.transport.loseConnection()

    def connectionLost(self, reason):
        same = self.left == 0 and self.received.digest() == hashlib.sha256(PAYLOAD).digest()
        print("OK" if same else f"FAIL: {self.left} bytes are missing", flush=True)
        stop()


class Factory(ClientFactory):
    protocol = Client

    def clientConnectionFailed(self, connector, reason):
        print("FAIL:", reason.getErrorMessage(), flush=True)
        stop()


options = arguments(size=1_000_000)
PAYLOAD = bytes(i * i % 251 for i in range(options.size))
reactor.connectTCP(options.host, options.port, Factory())
run()
