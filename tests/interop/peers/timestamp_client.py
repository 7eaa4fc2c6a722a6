"""Sends the lines of standard input one by one and prints the answers. (It blocks in input(), as the classic does.)"""

from twisted.internet import reactor
from twisted.internet.protocol import ClientFactory, Protocol

from twisted_peer import arguments, run, stop


class Client(Protocol):
    def connectionMade(self):
        self.sendLine()

    def dataReceived(self, data):
        print(data.decode(), flush=True)
        self.sendLine()

    def sendLine(self):
        try:
            line = input("> ")
        except EOFError:
            line = ""
        if not line:
            self.transport.loseConnection()
            return
        print(f"...sending {line}...", flush=True)
        self.transport.write(line.encode())


class Ending(ClientFactory):
    protocol = Client

    def clientConnectionFailed(self, connector, reason):
        stop()

    def clientConnectionLost(self, connector, reason):
        stop()


options = arguments()
reactor.connectTCP(options.host, options.port, Ending())
run()
