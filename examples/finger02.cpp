// Closes each connection as soon as it is made.

#include "support/program.hpp"

class Finger : public torsion::Protocol {
    void connectionMade() override { transport->loseConnection(); }
};

int main(int argc, char** argv) {
    examples::Program program("Closes each connection at once.", examples::Role::Server, 7979);
    return program.run(argc, argv, [&](torsion::UvReactor& reactor) {
        program.serve(reactor, torsion::Factory::forProtocol<Finger>());
    });
}
