// Sends back what it receives, and prints nothing meanwhile: made for load.

#include "support/program.hpp"

#include <protocols/wire/echo.hpp>

int main(int argc, char** argv) {
    examples::Program program("Sends back what it receives.", examples::Role::Server, 7007);
    return program.run(argc, argv, [&](torsion::UvReactor& reactor) {
        program.serve(reactor, torsion::Factory::forProtocol<torsion::Echo>());
    });
}
