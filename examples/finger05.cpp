// Knows two users: what forProtocol is given reaches the constructor of each protocol, a copy for every connection.

#include "support/program.hpp"

#include <protocols/basic/line_only_receiver.hpp>

#include <functional>
#include <map>
#include <string>
#include <string_view>

using Users = std::map<std::string, std::string, std::less<>>;

class Finger : public torsion::LineOnlyReceiver {
public:
    explicit Finger(const Users& users) : users_(users) {}

    void lineReceived(std::string_view name) override {
        const auto user = users_.find(name);
        sendLine(user == users_.end() ? "No such user" : user->second);
        transport->loseConnection();
    }

private:
    Users users_;
};

int main(int argc, char** argv) {
    examples::Program program("Knows two users.", examples::Role::Server, 7979);
    return program.run(argc, argv, [&](torsion::UvReactor& reactor) {
        const Users users{{"alice", "Reading."}, {"bob", "Gone fishing."}};
        program.serve(reactor, torsion::Factory::forProtocol<Finger>(users));
    });
}
