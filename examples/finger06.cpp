// What connections share belongs to their factory, which a protocol reaches through `factory`.

#include "support/program.hpp"

#include <protocols/basic/line_only_receiver.hpp>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

class FingerFactory : public torsion::Factory {
public:
    std::shared_ptr<torsion::Protocol> buildProtocol(const torsion::Address&) override;

    std::string_view getUser(std::string_view name) const {
        const auto user = users_.find(name);
        return user == users_.end() ? std::string_view("No such user") : user->second;
    }

private:
    std::map<std::string, std::string, std::less<>> users_{{"alice", "Reading."}, {"bob", "Gone fishing."}};
};

class Finger : public torsion::LineOnlyReceiver {
    void lineReceived(std::string_view name) override {
        sendLine(factoryAs<FingerFactory>().getUser(name));
        transport->loseConnection();
    }
};

std::shared_ptr<torsion::Protocol> FingerFactory::buildProtocol(const torsion::Address&) {
    return std::make_shared<Finger>();
}

int main(int argc, char** argv) {
    examples::Program program("Knows two users, in its factory.", examples::Role::Server, 7979);
    return program.run(argc, argv,
                       [&](torsion::UvReactor& reactor) { program.serve(reactor, std::make_shared<FingerFactory>()); });
}
