#include <reactor/errors.hpp>
#include <reactor/libuv/line_input.hpp>
#include <reactor/libuv/uv_reactor.hpp>

#include <doctest/doctest.h>

#include <unistd.h>

#include <chrono>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

using namespace torsion;

namespace {

/// A reactor, and a pipe whose lines are read on it.
class Dialogue {
public:
    explicit Dialogue(std::size_t maxLength = LineInput::kMaxLength) {
        int fds[2];
        REQUIRE(::pipe(fds) == 0);
        out_ = fds[0];
        in_ = fds[1];
        input.emplace(reactor, out_, maxLength);
    }
    ~Dialogue() {
        input.reset();
        end();
        ::close(out_);
    }

    void put(std::string_view text) const {
        REQUIRE(::write(in_, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    }
    void end() {
        if (in_ >= 0)
            ::close(in_);
        in_ = -1;
    }

    /// Asks, and notes the answer: the line, or "<ConnectionDone>".
    void ask() {
        input->nextLine([this](const InputLine& line) {
            answers.push_back(line ? std::string(line.text) : "<" + line.end.name() + ">");
        });
    }

    void runUntilAnswers(std::size_t count) {
        for (int turn = 0; turn < 1000 && answers.size() < count; ++turn)
            reactor.iterate(std::chrono::milliseconds(20));
        REQUIRE(answers.size() == count);
    }
    void runTurns(int turns) {
        for (int turn = 0; turn < turns; ++turn)
            reactor.iterate();
    }

    UvReactor reactor{{.handleSignals = false}};
    std::optional<LineInput> input;
    std::vector<std::string> answers;

private:
    int in_ = -1;
    int out_ = -1;
};

using Answers = std::vector<std::string>;

} // namespace

TEST_CASE("LineInput gives one line for each question, in a later phase") {
    Dialogue dialogue;
    dialogue.put("one\n\nthree\n");
    dialogue.runTurns(3);
    for (std::size_t count = 1; count <= 3; ++count) {
        dialogue.ask();
        CHECK(dialogue.answers.size() == count - 1);
        dialogue.runUntilAnswers(count);
        dialogue.runTurns(3);
        CHECK(dialogue.answers.size() == count);
        CHECK_FALSE(dialogue.input->isAsked());
    }
    CHECK(dialogue.answers == Answers{"one", "", "three"});
}

TEST_CASE("LineInput puts a line together that comes in pieces") {
    Dialogue dialogue;
    dialogue.ask();
    for (const char* piece : {"ab", "c", "de"}) {
        dialogue.put(piece);
        dialogue.runTurns(5);
        CHECK(dialogue.answers.empty());
    }
    dialogue.put("f\nrest");
    dialogue.runUntilAnswers(1);
    CHECK(dialogue.answers == Answers{"abcdef"});
}

TEST_CASE("LineInput gives a last line without a newline, then the end for every further question") {
    Dialogue dialogue;
    dialogue.put("first\nlast");
    dialogue.end();
    for (std::size_t count = 1; count <= 4; ++count) {
        dialogue.ask();
        dialogue.runUntilAnswers(count);
    }
    CHECK(dialogue.answers == Answers{"first", "last", "<ConnectionDone>", "<ConnectionDone>"});
}

TEST_CASE("LineInput accepts a line of exactly its limit, and ends with a longer one") {
    for (const bool finished : {true, false}) {
        Dialogue dialogue(4);
        dialogue.put(finished ? "1234\n12345\nnever\n" : "1234\n12345");
        for (std::size_t count = 1; count <= 3; ++count) {
            dialogue.ask();
            dialogue.runUntilAnswers(count);
        }
        CHECK(dialogue.answers == Answers{"1234", "<Error>", "<Error>"});
    }
}

TEST_CASE("LineInput refuses a question before the last is answered") {
    Dialogue dialogue;
    dialogue.ask();
    CHECK_THROWS_AS(dialogue.ask(), std::logic_error);
}

TEST_CASE("a question that is taken back is not answered, and its line stays for the next") {
    Dialogue dialogue;
    dialogue.put("one\ntwo\n");
    dialogue.ask();
    dialogue.runUntilAnswers(1);
    dialogue.ask();
    dialogue.input->cancel();
    CHECK_FALSE(dialogue.input->isAsked());
    dialogue.runTurns(5);
    CHECK(dialogue.answers == Answers{"one"});
    dialogue.ask();
    dialogue.runUntilAnswers(2);
    CHECK(dialogue.answers == Answers{"one", "two"});
}

TEST_CASE("LineInput may ask again, or be destroyed, in its handler") {
    Dialogue dialogue;
    dialogue.put("one\ntwo\nthree\n");
    const std::function<void(const InputLine&)> next = [&](const InputLine& line) {
        const std::string text(line.text);
        if (text == "two") {
            dialogue.input.reset();
        } else {
            dialogue.input->nextLine(next);
        }
        dialogue.answers.push_back(text);
    };
    dialogue.input->nextLine(next);
    dialogue.runUntilAnswers(2);
    dialogue.runTurns(5);
    CHECK(dialogue.answers == Answers{"one", "two"});
}
