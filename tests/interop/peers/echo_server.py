"""Sends back what it receives."""

from twisted.internet.protocol import Factory, Protocol

from twisted_peer import arguments, serve


class Echo(Protocol):
    def dataReceived(self, data):
        self.transport.write(data)


serve(arguments(), Factory.forProtocol(Echo))
