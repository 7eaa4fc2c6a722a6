#include <reactor/errors.hpp>
#include <reactor/libuv/input_reader.hpp>
#include <reactor/libuv/line_input.hpp>
#include <reactor/libuv/uv_reactor.hpp>

#include "support/log_capture.hpp"
#include <doctest/doctest.h>

#include <fcntl.h>
#include <pty.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

using namespace torsion;

namespace {

/// A descriptor that is closed at the end, or earlier.
class Fd {
public:
    explicit Fd(int fd) : fd_(fd) { REQUIRE(fd >= 0); }
    Fd(const Fd&) = delete;
    Fd& operator=(const Fd&) = delete;
    ~Fd() { close(); }
    operator int() const noexcept { return fd_; }
    void close() {
        if (fd_ >= 0)
            ::close(fd_);
        fd_ = -1;
    }
    void put(std::string_view text) const {
        REQUIRE(::write(fd_, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    }

private:
    int fd_;
};

/// Two ends: what is put into `in` comes out of `out`.
struct Ends {
    Ends(int inFd, int outFd) : in(inFd), out(outFd) {}
    Fd in;
    Fd out;

    static std::unique_ptr<Ends> pipe() {
        int fds[2];
        REQUIRE(::pipe(fds) == 0);
        return std::make_unique<Ends>(fds[1], fds[0]);
    }
    static std::unique_ptr<Ends> sockets() {
        int fds[2];
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
        return std::make_unique<Ends>(fds[1], fds[0]);
    }
    /// `in` is the keyboard, `out` what a program reads.
    static std::unique_ptr<Ends> terminal() {
        int master = -1;
        int slave = -1;
        REQUIRE(::openpty(&master, &slave, nullptr, nullptr, nullptr) == 0);
        return std::make_unique<Ends>(master, slave);
    }
};

/// A file without a name that holds `text`, at its beginning.
Fd fileOf(std::string_view text) {
    char path[] = "/tmp/torsion-input-XXXXXX";
    const int fd = ::mkstemp(path);
    REQUIRE(fd >= 0);
    ::unlink(path);
    REQUIRE(::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    REQUIRE(::lseek(fd, 0, SEEK_SET) == 0);
    return Fd(fd);
}

struct Recorder final : InputEvents {
    void inputReceived(std::string_view data) override {
        text += data;
        ++pieces;
        if (onData)
            onData();
    }
    void inputEnded(const Failure& reason) override {
        ends.push_back(reason);
        if (onEnd)
            onEnd();
    }

    std::string text;
    int pieces = 0;
    std::vector<Failure> ends;
    std::function<void()> onData;
    std::function<void()> onEnd;
};

ReactorOptions optionsOf(Dispatch dispatch) {
    return {.dispatch = dispatch, .handleSignals = false};
}

void runUntil(UvReactor& reactor, const std::function<bool()>& condition) {
    for (int turn = 0; turn < 1000 && !condition(); ++turn)
        reactor.iterate(std::chrono::milliseconds(20));
    CHECK(condition());
}

void runTurns(UvReactor& reactor, int turns) {
    for (int turn = 0; turn < turns; ++turn)
        reactor.iterate();
}

int flagsOf(int fd) {
    return ::fcntl(fd, F_GETFL);
}

} // namespace

TEST_CASE("InputReader delivers what a pipe, a socket and a terminal bring, and leaves their flags alone") {
    for (const Dispatch dispatch : {Dispatch::Direct, Dispatch::TwoPhase}) {
        for (auto* make : {&Ends::pipe, &Ends::sockets, &Ends::terminal}) {
            UvReactor reactor(optionsOf(dispatch));
            const auto ends = make();
            const int flags = flagsOf(ends->out);
            Recorder recorder;
            InputReader reader(reactor, ends->out, recorder);
            reader.resumeReading();
            runTurns(reactor, 3);
            CHECK(recorder.text.empty());
            CHECK(flagsOf(ends->out) == flags);
            ends->in.put("one\n");
            runUntil(reactor, [&] { return recorder.text == "one\n"; });
            ends->in.put("two\n");
            runUntil(reactor, [&] { return recorder.text == "one\ntwo\n"; });
            CHECK(recorder.ends.empty());
            CHECK(flagsOf(ends->out) == flags);
        }
    }
}

TEST_CASE("InputReader tells the end of a pipe and of a socket once, as ConnectionDone") {
    for (auto* make : {&Ends::pipe, &Ends::sockets}) {
        UvReactor reactor(optionsOf(Dispatch::Direct));
        const auto ends = make();
        Recorder recorder;
        InputReader reader(reactor, ends->out, recorder);
        reader.resumeReading();
        runTurns(reactor, 3);
        ends->in.put("last words");
        ends->in.close();
        runUntil(reactor, [&] { return !recorder.ends.empty(); });
        CHECK(recorder.text == "last words");
        CHECK_FALSE(reader.isReading());
        reader.resumeReading();
        runTurns(reactor, 3);
        REQUIRE(recorder.ends.size() == 1);
        CHECK(recorder.ends[0].check<ConnectionDone>());
    }
}

TEST_CASE("InputReader tells the end of a pipe whose writer had gone before it began") {
    UvReactor reactor(optionsOf(Dispatch::Direct));
    const auto ends = Ends::pipe();
    ends->in.put("left behind");
    ends->in.close();
    Recorder recorder;
    InputReader reader(reactor, ends->out, recorder);
    reader.resumeReading();
    runUntil(reactor, [&] { return !recorder.ends.empty(); });
    CHECK(recorder.text == "left behind");
}

TEST_CASE("InputReader tells the end that is typed on a terminal, and its hang-up as an error") {
    UvReactor reactor(optionsOf(Dispatch::Direct));
    const auto typed = Ends::terminal();
    Recorder recorder;
    InputReader reader(reactor, typed->out, recorder);
    reader.resumeReading();
    runTurns(reactor, 3);
    typed->in.put("\x04");
    runUntil(reactor, [&] { return !recorder.ends.empty(); });
    CHECK(recorder.ends[0].check<ConnectionDone>());

    const auto hungUp = Ends::terminal();
    Recorder other;
    InputReader second(reactor, hungUp->out, other);
    second.resumeReading();
    runTurns(reactor, 3);
    hungUp->in.close();
    runUntil(reactor, [&] { return !other.ends.empty(); });
}

TEST_CASE("InputReader reads a regular file from its position on, one bounded piece a turn") {
    UvReactor reactor(optionsOf(Dispatch::Direct));
    const std::string content(300'000, 'x');
    const Fd file = fileOf("skipped" + content);
    REQUIRE(::lseek(file, 7, SEEK_SET) == 7);
    const int flags = flagsOf(file);
    Recorder recorder;
    InputReader reader(reactor, file, recorder);
    reader.resumeReading();
    CHECK(recorder.pieces == 0);
    for (int turn = 1; turn <= 3; ++turn) {
        reactor.iterate();
        CHECK(recorder.pieces == turn);
    }
    runUntil(reactor, [&] { return !recorder.ends.empty(); });
    CHECK(recorder.text == content);
    CHECK(recorder.ends[0].check<ConnectionDone>());
    CHECK(flagsOf(file) == flags);
    CHECK(::lseek(file, 0, SEEK_CUR) == 300'007);
}

TEST_CASE("InputReader reads /dev/null to its end, and says that a directory cannot be read") {
    UvReactor reactor(optionsOf(Dispatch::Direct));
    const Fd nothing(::open("/dev/null", O_RDONLY));
    Recorder recorder;
    InputReader reader(reactor, nothing, recorder);
    reader.resumeReading();
    runUntil(reactor, [&] { return !recorder.ends.empty(); });
    CHECK(recorder.ends[0].check<ConnectionDone>());

    const Fd directory(::open("/tmp", O_RDONLY | O_DIRECTORY));
    Recorder other;
    InputReader second(reactor, directory, other);
    second.resumeReading();
    runUntil(reactor, [&] { return !other.ends.empty(); });
    CHECK(other.ends[0].check<ConnectionLost>());
    CHECK(other.ends[0].code() == EISDIR);
}

TEST_CASE("InputReader reads what cannot be opened again without blocking, and leaves its flags alone") {
    UvReactor reactor(optionsOf(Dispatch::Direct));
    const Fd counter(::eventfd(0, 0));
    const int flags = flagsOf(counter);
    Recorder recorder;
    InputReader reader(reactor, counter, recorder);
    reader.resumeReading();
    runTurns(reactor, 3);
    for (int pieces = 1; pieces <= 2; ++pieces) {
        REQUIRE(::eventfd_write(counter, 1) == 0);
        runUntil(reactor, [&] { return recorder.pieces == pieces; });
        runTurns(reactor, 3);
    }
    CHECK(recorder.text.size() == 2 * sizeof(eventfd_t));
    CHECK(flagsOf(counter) == flags);
}

TEST_CASE("InputReader refuses a descriptor that is not open") {
    UvReactor reactor(optionsOf(Dispatch::Direct));
    Recorder recorder;
    CHECK_THROWS_AS(InputReader(reactor, -1, recorder), std::system_error);
}

TEST_CASE("InputReader delivers nothing while it is paused, not even the end") {
    for (auto* make : {&Ends::pipe, &Ends::sockets, &Ends::terminal}) {
        UvReactor reactor(optionsOf(Dispatch::Direct));
        const auto ends = make();
        Recorder recorder;
        InputReader reader(reactor, ends->out, recorder);
        recorder.onData = [&] { reader.pauseReading(); };
        reader.resumeReading();
        ends->in.put("one\n");
        runUntil(reactor, [&] { return recorder.pieces == 1; });
        ends->in.put("two\n");
        runTurns(reactor, 5);
        CHECK(recorder.pieces == 1);
        reader.resumeReading();
        runUntil(reactor, [&] { return recorder.pieces == 2; });
        CHECK(recorder.text == "one\ntwo\n");
        ends->in.close();
        runTurns(reactor, 5);
        CHECK(recorder.ends.empty());
    }
}

TEST_CASE("InputReader may be destroyed in its callbacks") {
    for (const Dispatch dispatch : {Dispatch::Direct, Dispatch::TwoPhase}) {
        UvReactor reactor(optionsOf(dispatch));
        const auto ends = Ends::pipe();
        Recorder recorder;
        std::optional<InputReader> reader(std::in_place, reactor, ends->out, recorder);
        recorder.onData = [&] { reader.reset(); };
        reader->resumeReading();
        ends->in.put("first");
        runUntil(reactor, [&] { return !reader; });

        reader.emplace(reactor, ends->out, recorder);
        reader->resumeReading();
        runTurns(reactor, 3); // waits for libuv's word now
        ends->in.put("second");
        runUntil(reactor, [&] { return !reader; });

        recorder.onEnd = [&] { reader.reset(); };
        reader.emplace(reactor, ends->out, recorder);
        reader->resumeReading();
        ends->in.close();
        runUntil(reactor, [&] { return !reader; });
        CHECK(recorder.text == "firstsecond");
    }
}

TEST_CASE("what a callback of an InputReader throws is logged, and reading goes on") {
    test::LogCapture log;
    UvReactor reactor(optionsOf(Dispatch::Direct));
    const auto ends = Ends::pipe();
    Recorder recorder;
    recorder.onData = [] { throw std::runtime_error("no paper"); };
    InputReader reader(reactor, ends->out, recorder);
    reader.resumeReading();
    ends->in.put("one");
    runUntil(reactor, [&] { return recorder.text == "one"; });
    ends->in.put("two");
    runUntil(reactor, [&] { return recorder.text == "onetwo"; });
    CHECK(log.contains("no paper"));
}
