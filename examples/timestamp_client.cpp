// Sends lines from standard input to the timestamp server, each after the answer to the one before. An empty line or
// the end of the input ends it.

#include "support/program.hpp"

#include <reactor/errors.hpp>
#include <reactor/libuv/line_input.hpp>
#include <reactor/protocol.hpp>

#include <spdlog/fmt/fmt.h>

#include <unistd.h>

#include <cstdio>
#include <memory>
#include <string_view>

namespace {

class TimestampClient : public torsion::Protocol {
public:
    TimestampClient(examples::Program& program, torsion::LineInput& input) : program_(program), input_(input) {}

    void connectionMade() override { prompt(); }

    void dataReceived(std::string_view data) override {
        fmt::print("{}\n", data);
        prompt();
    }

    void connectionLost(const torsion::Failure&) override { input_.cancel(); }

private:
    void prompt() {
        fmt::print("> ");
        std::fflush(stdout);
        if (!input_.isAsked())
            input_.nextLine([this](const torsion::InputLine& line) { lineRead(line); });
    }

    void lineRead(const torsion::InputLine& line) {
        if (line.end && !line.end.check<torsion::ConnectionDone>())
            program_.fail(line.end.getErrorMessage());
        if (line.text.empty())
            return transport->loseConnection();
        fmt::print("...sending {}...\n", line.text);
        transport->write(line.text);
    }

    examples::Program& program_;
    torsion::LineInput& input_;
};

class TimestampClientFactory : public examples::OneConnectionFactory {
public:
    TimestampClientFactory(examples::Program& program, torsion::LineInput& input)
        : OneConnectionFactory(program), program_(program), input_(input) {}

    std::shared_ptr<torsion::Protocol> buildProtocol(const torsion::Address&) override {
        return std::make_shared<TimestampClient>(program_, input_);
    }

private:
    examples::Program& program_;
    torsion::LineInput& input_;
};

} // namespace

int main(int argc, char** argv) {
    examples::Program program("Sends lines to the timestamp server and prints its answers.", examples::Role::Client,
                              21567);
    return program.run(argc, argv, [&](torsion::UvReactor& reactor) {
        torsion::LineInput input(reactor, STDIN_FILENO);
        program.connect(reactor, std::make_shared<TimestampClientFactory>(program, input));
    });
}
