#include <protocols/basic/line_only_receiver.hpp>
#include <reactor/testing/string_transport.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

using namespace torsion;
using testing::StringTransport;

namespace {

using Events = std::vector<std::string>;

/// Records "line" for lines and "!line" for those that are too long.
class Recorder : public LineOnlyReceiver {
public:
    using LineOnlyReceiver::LineOnlyReceiver;

    void lineReceived(std::string_view line) override {
        events.emplace_back(line);
        if (onLine)
            onLine(line);
    }

    void lineLengthExceeded(std::string_view line) override {
        events.push_back("!" + std::string(line));
        if (!forgiving)
            LineOnlyReceiver::lineLengthExceeded(line);
    }

    Events events;
    std::function<void(std::string_view)> onLine;
    bool forgiving = false;
};

struct Connection {
    explicit Connection(const LineOptions& options = {}) : receiver(options) { receiver.makeConnection(transport); }

    Recorder receiver;
    StringTransport transport;
};

void deliver(Protocol& protocol, std::string_view input, const std::vector<std::size_t>& cuts) {
    std::size_t from = 0;
    for (const std::size_t cut : cuts) {
        if (cut > from)
            protocol.dataReceived(input.substr(from, cut - from));
        from = std::max(from, cut);
    }
    if (from < input.size())
        protocol.dataReceived(input.substr(from));
}

/// Runs `check` with the input whole, byte by byte, and cut at random.
void inEveryCutting(std::string_view input, const std::function<void(const std::vector<std::size_t>& cuts)>& check) {
    check({});
    std::vector<std::size_t> all(input.size());
    for (std::size_t i = 0; i < all.size(); ++i)
        all[i] = i;
    check(all);
    for (std::uint32_t seed = 1; seed <= 200; ++seed) {
        CAPTURE(seed);
        std::mt19937 random(seed);
        std::vector<std::size_t> cuts(1 + random() % 8);
        for (std::size_t& cut : cuts)
            cut = random() % (input.size() + 1);
        std::sort(cuts.begin(), cuts.end());
        check(cuts);
    }
}

} // namespace

TEST_CASE("S-191: lines arrive without their delimiters, however the bytes are cut") {
    const std::string_view input = "first\r\n\r\nwith \r and \n inside\r\n\r\r\nlast\r\nunfinished\r";
    inEveryCutting(input, [&](const auto& cuts) {
        Connection connection;
        deliver(connection.receiver, input, cuts);
        CHECK(connection.receiver.events == Events{"first", "", "with \r and \n inside", "\r", "last"});
        CHECK(connection.receiver.bufferedLength() == 11);
    });
}

TEST_CASE("S-191: a delimiter that overlaps itself is found at its first place, however the bytes are cut") {
    const std::string_view input = "xaabaab-aaabaabb";
    inEveryCutting(input, [&](const auto& cuts) {
        Connection connection({.delimiter = "aab"});
        deliver(connection.receiver, input, cuts);
        CHECK(connection.receiver.events == Events{"x", "", "-a", ""});
        CHECK(connection.receiver.bufferedLength() == 1);
    });
}

TEST_CASE("S-192: a line of exactly the limit is accepted, also when a chunk ends inside its delimiter") {
    const std::string_view input = "0123456789\r\n";
    inEveryCutting(input, [&](const auto& cuts) {
        Connection connection({.maxLength = 10});
        deliver(connection.receiver, input, cuts);
        CHECK(connection.receiver.events == Events{"0123456789"});
        CHECK_FALSE(connection.transport.disconnecting());
    });
}

TEST_CASE("S-195: an unfinished line over the limit is told at once, and closes by default") {
    Connection connection({.maxLength = 10});
    connection.receiver.dataReceived("0123456789");
    CHECK(connection.receiver.events.empty());
    connection.receiver.dataReceived("x");
    CHECK(connection.receiver.events == Events{"!0123456789x"});
    CHECK(connection.transport.disconnecting());
    CHECK(connection.receiver.bufferedLength() == 0);
}

TEST_CASE("S-195: a whole line over the limit is told without what follows it, and closes by default") {
    Connection connection({.maxLength = 4});
    connection.receiver.dataReceived("good\r\n12345\r\nmore\r\n");
    CHECK(connection.receiver.events == Events{"good", "!12345"});
    CHECK(connection.transport.disconnecting());
}

TEST_CASE("a protocol that forgives a line that is too long gets the next one, however the bytes are cut") {
    const std::string_view input = "ok\r\n123456789\r\nthen\r\n123456\r\n\r\nend\r\n";
    inEveryCutting(input, [&](const auto& cuts) {
        Connection connection({.maxLength = 4});
        connection.receiver.forgiving = true;
        deliver(connection.receiver, input, cuts);
        Events kinds;
        for (const std::string& event : connection.receiver.events)
            kinds.push_back(event.starts_with('!') ? "!" : event);
        CHECK(kinds == Events{"ok", "!", "then", "!", "", "end"});
        CHECK(connection.receiver.bufferedLength() == 0);
    });
}

TEST_CASE("a line without an end is skipped without being kept") {
    Connection connection({.maxLength = 4});
    connection.receiver.forgiving = true;
    for (int i = 0; i < 1000; ++i)
        connection.receiver.dataReceived("0123456789");
    CHECK(connection.receiver.events.size() == 1);
    CHECK(connection.receiver.bufferedLength() == 0);
}

TEST_CASE("S-194: after loseConnection in lineReceived no line is delivered, neither of this chunk nor of later ones") {
    const std::string_view input = "a\r\nquit\r\nb\r\nc\r\n";
    inEveryCutting(input, [&](const auto& cuts) {
        Connection connection;
        connection.receiver.onLine = [&](std::string_view line) {
            if (line == "quit")
                connection.transport.loseConnection();
        };
        deliver(connection.receiver, input, cuts);
        CHECK(connection.receiver.events == Events{"a", "quit"});
        CHECK(connection.receiver.bufferedLength() == 0);
    });
}

TEST_CASE("S-200: sendLine writes line and delimiter") {
    Connection connection({.delimiter = "\n"});
    connection.receiver.sendLine("hello");
    connection.receiver.sendLine("");
    CHECK(connection.transport.value() == "hello\n\n");
}

TEST_CASE("delimiter and limit can be changed, and hold from the next line on") {
    Connection connection;
    connection.receiver.onLine = [&](std::string_view line) {
        if (line == "newline")
            connection.receiver.setDelimiter("\n");
        if (line == "short")
            connection.receiver.setMaxLength(3);
    };
    connection.receiver.dataReceived("newline\r\none\ntwo\r\nshort\nabc\nabcd\n");
    CHECK(connection.receiver.events == Events{"newline", "one", "two\r", "short", "abc", "!abcd"});
}

TEST_CASE("a delimiter that is changed between chunks is looked for in what was kept, too") {
    Connection connection;
    connection.receiver.dataReceived("a;b;c");
    connection.receiver.setDelimiter(";");
    connection.receiver.dataReceived("d;e");
    CHECK(connection.receiver.events == Events{"a", "b", "cd"});
    CHECK(connection.receiver.bufferedLength() == 1);
}

TEST_CASE("an empty delimiter is refused") {
    CHECK_THROWS_AS(Recorder({.delimiter = ""}), std::invalid_argument);
    Recorder receiver;
    CHECK_THROWS_AS(receiver.setDelimiter(""), std::invalid_argument);
    CHECK(receiver.delimiter() == "\r\n");
    CHECK(receiver.maxLength() == 16384);
}

TEST_CASE("a receiver begins anew with each connection") {
    Connection connection;
    connection.receiver.dataReceived("half");
    connection.transport.loseConnection();
    connection.receiver.dataReceived("\r\n");
    StringTransport next;
    connection.receiver.makeConnection(next);
    connection.receiver.dataReceived("whole\r\n");
    CHECK(connection.receiver.events == Events{"whole"});
}
