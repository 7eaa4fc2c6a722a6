// A factory with a user database: a file of lines "NAME TEXT", read when the factory starts and again every so often. A
// peer that asks nothing is not waited for, and an empty question lists all names (RFC 1288, 2.3).

#include "support/program.hpp"

#include <protocols/basic/line_only_receiver.hpp>
#include <reactor/clock.hpp>
#include <reactor/log.hpp>

#include <spdlog/fmt/fmt.h>

#include <chrono>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace {

using Users = std::map<std::string, std::string, std::less<>>;

constexpr std::chrono::seconds kPatience{60};

Users readUsers(const std::string& path) {
    std::ifstream file(path);
    if (!file)
        throw std::runtime_error(fmt::format("cannot read the users in {}", path));
    Users users;
    for (std::string line; std::getline(file, line);) {
        const std::size_t space = line.find(' ');
        if (space != std::string::npos)
            users.insert_or_assign(line.substr(0, space), line.substr(space + 1));
    }
    return users;
}

class FingerFactory : public torsion::Factory {
public:
    FingerFactory(torsion::Clock& clock, std::string path, std::chrono::milliseconds interval)
        : clock_(clock), path_(std::move(path)), interval_(interval), users_(readUsers(path_)) {}

    void startFactory() override { scheduleReading(); }
    void stopFactory() override { nextReading_.cancel(); }

    std::shared_ptr<torsion::Protocol> buildProtocol(const torsion::Address&) override;

    const Users& users() const noexcept { return users_; }

private:
    // A file that cannot be read now leaves what is known.
    void readAgain() {
        scheduleReading();
        try {
            users_ = readUsers(path_);
        } catch (const std::runtime_error& error) {
            torsion::log::warn("{}", error.what());
        }
    }

    void scheduleReading() {
        nextReading_ = clock_.callLater(interval_, [this] { readAgain(); });
    }

    torsion::Clock& clock_;
    std::string path_;
    std::chrono::milliseconds interval_;
    Users users_;
    torsion::ScopedCall nextReading_;
};

class Finger : public torsion::LineOnlyReceiver {
public:
    void connectionMade() override {
        patience_ = transport->reactor().callLater(kPatience, [this] { transport->abortConnection(); });
    }

    void lineReceived(std::string_view name) override {
        const Users& users = factoryAs<FingerFactory>().users();
        if (name.empty()) {
            for (const auto& [known, text] : users)
                sendLine(known);
        } else {
            const auto user = users.find(name);
            sendLine(user == users.end() ? "No such user" : user->second);
        }
        transport->loseConnection();
    }

    void connectionLost(const torsion::Failure&) override { patience_.cancel(); }

private:
    torsion::ScopedCall patience_;
};

std::shared_ptr<torsion::Protocol> FingerFactory::buildProtocol(const torsion::Address&) {
    return std::make_shared<Finger>();
}

} // namespace

int main(int argc, char** argv) {
    examples::Program program("Knows the users of a file.", examples::Role::Server, 7979);
    std::string path = "users.txt";
    int interval = 1000;
    program.option("--users", path, "file of lines \"NAME TEXT\"");
    program.option("--interval", interval, {1, 86'400'000}, "milliseconds between readings of the file");
    return program.run(argc, argv, [&](torsion::UvReactor& reactor) {
        program.serve(reactor, std::make_shared<FingerFactory>(reactor, path, std::chrono::milliseconds(interval)));
    });
}
