// Listens, and says nothing.

#include "support/program.hpp"

int main(int argc, char** argv) {
    examples::Program program("Listens, and says nothing.", examples::Role::Server, 7979);
    return program.run(argc, argv, [&](torsion::UvReactor& reactor) {
        program.serve(reactor, torsion::Factory::forProtocol<torsion::Protocol>());
    });
}
