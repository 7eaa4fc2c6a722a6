// Reads a user's name, a line, and closes.

#include "support/program.hpp"

#include <protocols/basic/line_only_receiver.hpp>

#include <string_view>

class Finger : public torsion::LineOnlyReceiver {
    void lineReceived(std::string_view) override { transport->loseConnection(); }
};

int main(int argc, char** argv) {
    examples::Program program("Reads a line, and closes.", examples::Role::Server, 7979);
    return program.run(argc, argv, [&](torsion::UvReactor& reactor) {
        program.serve(reactor, torsion::Factory::forProtocol<Finger>());
    });
}
