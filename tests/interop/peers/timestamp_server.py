"""Answers with the time and what it received."""

from time import ctime

from twisted.internet.protocol import Factory, Protocol

from twisted_peer import arguments, serve


class Timestamp(Protocol):
    def connectionMade(self):
        print("...connected from:", self.transport.getPeer().host, flush=True)

    def dataReceived(self, data):
        self.transport.write(f"[{ctime()}] ".encode() + data)


serve(arguments(), Factory.forProtocol(Timestamp))
