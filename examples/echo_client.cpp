// Sends messages to an echo server as quickly as it takes them, and checks that all come back.

#include "support/program.hpp"

#include <reactor/producer.hpp>
#include <reactor/protocol.hpp>

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace {

// The letters a to z, over and over; any part of the stream is a part of this text.
std::string alphabets(std::size_t bytes) {
    std::string text(bytes + 26, '\0');
    for (std::size_t i = 0; i < text.size(); ++i)
        text[i] = static_cast<char>('a' + i % 26);
    return text;
}

struct Plan {
    std::uint64_t messages = 1000;
    std::uint64_t size = 64;
};

/// The transport asks for messages whenever its buffer is empty, so nothing piles up here.
class EchoClient : public torsion::Protocol, private torsion::PullProducer {
public:
    EchoClient(examples::Program& program, const Plan& plan)
        : program_(program), plan_(plan), text_(alphabets(std::max(plan.size, kCompared))) {}

    void connectionMade() override { transport->registerProducer(*this); }

    void dataReceived(std::string_view data) override {
        while (!data.empty()) {
            const std::string_view part = data.substr(0, kCompared);
            if (part != std::string_view(text_).substr(received_ % 26, part.size()))
                return fail(fmt::format("what came back after {} bytes differs", received_));
            received_ += part.size();
            data.remove_prefix(part.size());
        }
        if (received_ > plan_.messages * plan_.size)
            return fail(fmt::format("{} bytes came back, more than were sent", received_));
        if (received_ == plan_.messages * plan_.size) {
            fmt::print("OK {} {}\n", plan_.messages, received_);
            transport->loseConnection();
        }
    }

    void connectionLost(const torsion::Failure&) override {
        if (received_ != plan_.messages * plan_.size)
            program_.fail(fmt::format("the connection ended after {} bytes", received_));
    }

private:
    static constexpr std::size_t kCompared = 4096;     // bytes at once
    static constexpr std::size_t kPortion = 16 * 1024; // bytes, at least, each time the transport asks

    void resumeProducing() override {
        if (sent_ == plan_.messages)
            return transport->unregisterProducer();
        for (std::size_t portion = 0; portion < kPortion && sent_ < plan_.messages; portion += plan_.size)
            transport->write(std::string_view(text_).substr(sent_++ * plan_.size % 26, plan_.size));
    }

    void stopProducing() override {}

    void fail(std::string_view message) {
        program_.fail(message);
        transport->abortConnection();
    }

    examples::Program& program_;
    Plan plan_;
    std::string text_;
    std::uint64_t sent_ = 0;     // messages
    std::uint64_t received_ = 0; // bytes
};

class EchoClientFactory : public examples::OneConnectionFactory {
public:
    EchoClientFactory(examples::Program& program, const Plan& plan)
        : OneConnectionFactory(program), program_(program), plan_(plan) {}

    std::shared_ptr<torsion::Protocol> buildProtocol(const torsion::Address&) override {
        return std::make_shared<EchoClient>(program_, plan_);
    }

private:
    examples::Program& program_;
    Plan plan_;
};

} // namespace

int main(int argc, char** argv) {
    examples::Program program("Sends messages to an echo server and checks what comes back.", examples::Role::Client,
                              7007);
    Plan plan;
    program.option("--messages", plan.messages, {1, 1'000'000'000}, "how many");
    program.option("--size", plan.size, {1, 16 * 1024 * 1024}, "bytes of each");
    return program.run(argc, argv, [&](torsion::UvReactor& reactor) {
        program.connect(reactor, std::make_shared<EchoClientFactory>(program, plan));
    });
}
