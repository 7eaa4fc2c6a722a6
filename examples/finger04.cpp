// Answers, to everybody the same. What is written before loseConnection arrives.

#include "support/program.hpp"

#include <protocols/basic/line_only_receiver.hpp>

#include <string_view>

class Finger : public torsion::LineOnlyReceiver {
    void lineReceived(std::string_view) override {
        sendLine("No such user");
        transport->loseConnection();
    }
};

int main(int argc, char** argv) {
    examples::Program program("Knows nobody.", examples::Role::Server, 7979);
    return program.run(argc, argv, [&](torsion::UvReactor& reactor) {
        program.serve(reactor, torsion::Factory::forProtocol<Finger>());
    });
}
