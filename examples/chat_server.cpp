// A chat for telnet or nc: a line with one's name, then every line goes to all the others.
//
// The factory knows the protocols that are logged in, by plain pointers: a transport owns its protocol and holds the
// factory, and connectionLost, which always comes, takes the pointer out. Nobody owns anybody in a circle.

#include "support/program.hpp"

#include <protocols/basic/line_only_receiver.hpp>

#include <spdlog/fmt/fmt.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace {

class Chatter;

class ChatFactory : public torsion::Factory {
public:
    std::shared_ptr<torsion::Protocol> buildProtocol(const torsion::Address&) override;

    /// False when the name is taken.
    bool enter(const std::string& name, Chatter& chatter) { return chatters_.emplace(name, &chatter).second; }
    void leave(const std::string& name) { chatters_.erase(name); }

    void tellOthers(const Chatter& speaker, std::string_view line) const;

private:
    std::map<std::string, Chatter*> chatters_;
};

/// Lines end with a newline; a carriage return before it is dropped.
class Chatter : public torsion::LineOnlyReceiver {
public:
    Chatter() : LineOnlyReceiver({.delimiter = "\n", .maxLength = 1000}) {}

    void connectionMade() override { sendLine("What is your name?"); }

    void lineReceived(std::string_view line) override {
        if (line.ends_with('\r'))
            line.remove_suffix(1);
        if (name_.empty()) {
            enter(std::string(line));
        } else {
            chat().tellOthers(*this, fmt::format("<{}> {}", name_, line));
        }
    }

    void connectionLost(const torsion::Failure&) override {
        if (name_.empty())
            return;
        chat().leave(name_);
        chat().tellOthers(*this, fmt::format("* {} has left", name_));
    }

private:
    ChatFactory& chat() const { return factoryAs<ChatFactory>(); }

    void enter(const std::string& name) {
        if (name.empty() || !chat().enter(name, *this))
            return sendLine("That name is taken. What is your name?");
        name_ = name;
        sendLine(fmt::format("Welcome, {}.", name_));
        chat().tellOthers(*this, fmt::format("* {} has come", name_));
    }

    std::string name_; // empty until we know it
};

std::shared_ptr<torsion::Protocol> ChatFactory::buildProtocol(const torsion::Address&) {
    return std::make_shared<Chatter>();
}

// A write never calls back into a protocol before it returns, so nobody leaves during this loop.
void ChatFactory::tellOthers(const Chatter& speaker, std::string_view line) const {
    for (const auto& [name, chatter] : chatters_) {
        if (chatter != &speaker)
            chatter->sendLine(line);
    }
}

} // namespace

int main(int argc, char** argv) {
    examples::Program program("A chat: every line goes to all the others.", examples::Role::Server, 7070);
    return program.run(argc, argv, [&](torsion::UvReactor& reactor) {
        // Somebody who does not read is thrown out when a megabyte waits.
        const torsion::WriteBufferLimits limits{.hard = 1024 * 1024};
        program.serve(reactor, std::make_shared<ChatFactory>(), {.stream = {.writeBuffer = limits}});
    });
}
