// Two ports, two protocols, one table: on the second port users say what they are doing, as "NAME TEXT".

#include "support/program.hpp"

#include <protocols/basic/line_only_receiver.hpp>
#include <reactor/listening_port.hpp>

#include <spdlog/fmt/fmt.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

using Users = std::map<std::string, std::string, std::less<>>;

class Finger : public torsion::LineOnlyReceiver {
public:
    explicit Finger(std::shared_ptr<const Users> users) : users_(std::move(users)) {}

    void lineReceived(std::string_view name) override {
        const auto user = users_->find(name);
        sendLine(user == users_->end() ? "No such user" : user->second);
        transport->loseConnection();
    }

private:
    std::shared_ptr<const Users> users_;
};

class Setter : public torsion::LineOnlyReceiver {
public:
    explicit Setter(std::shared_ptr<Users> users) : users_(std::move(users)) {}

    void lineReceived(std::string_view line) override {
        const std::size_t space = line.find(' ');
        if (space == std::string_view::npos)
            return sendLine("NAME TEXT, please");
        users_->insert_or_assign(std::string(line.substr(0, space)), line.substr(space + 1));
        sendLine("ok");
    }

private:
    std::shared_ptr<Users> users_;
};

int main(int argc, char** argv) {
    examples::Program program("Knows the users that a second port tells it of.", examples::Role::Server, 7979);
    int setPort = 7980;
    program.option("--set-port", setPort, {0, 65535}, "the second port; 0: any free one");
    return program.run(argc, argv, [&](torsion::UvReactor& reactor) {
        const auto users = std::make_shared<Users>();
        const auto setter =
            reactor.listenTCP(setPort, torsion::Factory::forProtocol<Setter>(users), {.interface = program.host()});
        fmt::print("SET {}\n", setter->getHost().port());
        program.serve(reactor, torsion::Factory::forProtocol<Finger>(std::shared_ptr<const Users>(users)));
    });
}
