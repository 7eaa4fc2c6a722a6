/// Loads an echo server on 127.0.0.1 and checks every byte that comes back.
///
///     load_generator --port N [--workload echo|connect] [--connections N] [--size BYTES]
///                    (--messages N | --seconds S [--warm-up S]) [--server-pid PID] [--limit S]
///
/// - echo:    each connection has one message on its way at any time.
/// - connect: each message has a connection of its own, and another one begins when the server has closed.
///
/// After the last message of a connection its direction is ended, and the server has to close without a further byte.
///
/// It ends after a number of messages, or of seconds, of which those of the warm-up are not counted; and with exit
/// status 1 and a line on stderr when a byte is wrong, missing or one too many, when a connection fails, or after
/// --limit seconds. On success it prints one line:
///
///     {"messages": 200000, "seconds": 1.0, "server_cpu_seconds": 0.7, "verified_bytes": 16000000}
///
/// The first three are of the window that is measured, the last is of the whole run. The server's time is its user and
/// system time on all threads. Epoll alone, nothing of Torsion or of libuv: it must not share their mistakes.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <exception>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace {

struct Options {
    int port = 0;
    bool connectEach = false;
    std::size_t connections = 1;
    std::size_t size = 64; // bytes of a message
    std::uint64_t messages = 0;
    double seconds = 0;
    double warmUp = 0;
    double limit = 60;
    int serverPid = 0;
};

struct Failed : std::runtime_error {
    using std::runtime_error::runtime_error;
};

[[noreturn]] void failWithErrno(const char* what) {
    throw Failed(std::string(what) + ": " + std::system_category().message(errno));
}

double secondsOf(clockid_t clock) {
    timespec time{};
    if (clock_gettime(clock, &time) != 0)
        failWithErrno("clock_gettime");
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

double now() {
    return secondsOf(CLOCK_MONOTONIC);
}

/// User and system time that a process has used, on all of its threads.
double cpuSecondsOf(int pid) {
    clockid_t clock{};
    if (pid == 0 || clock_getcpuclockid(pid, &clock) != 0)
        return 0;
    return secondsOf(clock);
}

/// What is sent. Each message of each connection begins elsewhere in the same random bytes, whose number is prime, so
/// that no mixed up, repeated or skipped piece looks right.
class Pattern {
public:
    explicit Pattern(std::size_t size) : size_(size), bytes_(kPeriod + size) {
        std::uint64_t state = 0x9e3779b97f4a7c15;
        for (std::size_t i = 0; i < kPeriod; ++i) {
            state = state * 6364136223846793005 + 1442695040888963407;
            bytes_[i] = static_cast<char>(state >> 56);
        }
        for (std::size_t i = 0; i < size; ++i)
            bytes_[kPeriod + i] = bytes_[i];
    }

    std::string_view message(std::uint64_t connection, std::uint64_t number) const {
        return {bytes_.data() + (connection * 7919 + number * 104'729) % kPeriod, size_};
    }

private:
    static constexpr std::size_t kPeriod = 130'003;

    std::size_t size_;
    std::vector<char> bytes_;
};

class Socket {
public:
    explicit Socket(int fd = -1) noexcept : fd_(fd) {}
    Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Socket& operator=(Socket&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~Socket() { reset(); }

    int get() const noexcept { return fd_; }
    void reset() noexcept {
        if (fd_ >= 0)
            ::close(std::exchange(fd_, -1));
    }

private:
    int fd_;
};

enum class State { Connecting, Exchanging, Ending, Done };

struct Connection {
    Socket socket;
    std::uint64_t index = 0;
    std::uint64_t number = 0; // of the present message
    std::string_view message;
    std::size_t sent = 0;
    std::size_t received = 0;
    State state = State::Done;
    bool waitsToSend = false;
};

/// Readings at one end of the window.
struct Reading {
    double time;
    double cpu;
    std::uint64_t messages;
};

class Load {
public:
    explicit Load(const Options& options)
        : options_(options), pattern_(options.size), epoll_(::epoll_create1(EPOLL_CLOEXEC)),
          connections_(options.connections) {
        if (epoll_.get() < 0)
            failWithErrno("epoll_create1");
    }

    void run() {
        const double begin = now();
        tick(begin, begin);
        for (std::size_t i = 0; i < connections_.size(); ++i) {
            connections_[i].index = i;
            if (mayOpen())
                open(connections_[i]);
        }
        std::array<epoll_event, 256> events;
        while (open_ > 0) {
            const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), 20);
            if (count < 0 && errno != EINTR)
                failWithErrno("epoll_wait");
            tick(begin, now());
            for (int i = 0; i < count; ++i)
                onReady(*static_cast<Connection*>(events[static_cast<std::size_t>(i)].data.ptr));
        }
        if (!last_)
            last_ = read(now());
    }

    void report() const {
        const std::uint64_t messages = last_->messages - first_->messages;
        std::printf("{\"messages\": %llu, \"seconds\": %.6f, \"server_cpu_seconds\": %.6f, \"verified_bytes\": %llu}\n",
                    static_cast<unsigned long long>(messages), last_->time - first_->time, last_->cpu - first_->cpu,
                    static_cast<unsigned long long>(verifiedBytes_));
    }

private:
    Reading read(double time) const { return {time, cpuSecondsOf(options_.serverPid), finished_}; }

    /// Opens and closes the window, and ends what takes too long.
    void tick(double begin, double time) {
        const double elapsed = time - begin;
        if (!first_ && elapsed >= options_.warmUp)
            first_ = read(time);
        if (options_.seconds > 0 && first_ && !last_ && time - first_->time >= options_.seconds)
            last_ = read(time);
        if (elapsed >= options_.limit)
            throw Failed("not done after " + std::to_string(options_.limit) + " s, with " + std::to_string(finished_) +
                         " messages back");
    }

    bool mayStart() const { return options_.seconds > 0 ? !last_ : started_ < options_.messages; }

    /// Where each message has a connection, those that are being made count too.
    bool mayOpen() const {
        return mayStart() && (!options_.connectEach || options_.messages == 0 || opened_ < options_.messages);
    }

    void watch(int operation, Connection& connection, std::uint32_t wanted) {
        epoll_event event{};
        event.events = wanted;
        event.data.ptr = &connection;
        if (::epoll_ctl(epoll_.get(), operation, connection.socket.get(), &event) != 0)
            failWithErrno("epoll_ctl");
    }

    void open(Connection& connection) {
        connection.socket = Socket(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        const int fd = connection.socket.get();
        if (fd < 0)
            failWithErrno("socket");
        const int one = 1;
        ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        if (options_.connectEach) {
            // One source address has ports for some 28,000 connections in TIME_WAIT alone.
            address.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 256 + static_cast<std::uint32_t>(opened_ % 200));
            ::setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
            if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
                failWithErrno("bind");
        }
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        address.sin_port = htons(static_cast<std::uint16_t>(options_.port));
        if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 && errno != EINPROGRESS)
            failWithErrno("connect");
        ++opened_;
        ++open_;
        connection.state = State::Connecting;
        connection.waitsToSend = true;
        watch(EPOLL_CTL_ADD, connection, EPOLLIN | EPOLLOUT);
    }

    void close(Connection& connection) {
        connection.socket.reset();
        connection.state = State::Done;
        --open_;
    }

    void onReady(Connection& connection) {
        if (connection.state == State::Connecting)
            onConnected(connection);
        else if (connection.waitsToSend)
            send(connection);
        receive(connection);
    }

    void onConnected(Connection& connection) {
        int error = 0;
        socklen_t length = sizeof error;
        ::getsockopt(connection.socket.get(), SOL_SOCKET, SO_ERROR, &error, &length);
        if (error != 0)
            throw Failed("connect: " + std::system_category().message(error));
        next(connection);
    }

    /// Begins another message, or ends the connection when there are enough.
    void next(Connection& connection) {
        if (!mayStart() || (options_.connectEach && connection.state == State::Exchanging)) {
            connection.state = State::Ending;
            if (::shutdown(connection.socket.get(), SHUT_WR) != 0)
                failWithErrno("shutdown");
            return;
        }
        ++started_;
        connection.state = State::Exchanging;
        connection.message = pattern_.message(connection.index, connection.number++);
        connection.sent = connection.received = 0;
        send(connection);
    }

    void send(Connection& connection) {
        const std::string_view rest = connection.message.substr(connection.sent);
        const ssize_t sent = rest.empty() ? 0 : ::send(connection.socket.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN && errno != EINTR)
            failWithErrno("send");
        connection.sent += sent > 0 ? static_cast<std::size_t>(sent) : 0;
        const bool waits = connection.sent < connection.message.size();
        if (waits != connection.waitsToSend) {
            connection.waitsToSend = waits;
            watch(EPOLL_CTL_MOD, connection, waits ? EPOLLIN | EPOLLOUT : EPOLLIN);
        }
    }

    void receive(Connection& connection) {
        const ssize_t got = ::recv(connection.socket.get(), input_.data(), input_.size(), 0);
        if (got < 0) {
            if (errno == EAGAIN || errno == EINTR)
                return;
            failWithErrno("recv");
        }
        if (got == 0) {
            if (connection.state != State::Ending)
                throw Failed("the server closed connection " + std::to_string(connection.index) + " in message " +
                             std::to_string(connection.number - 1));
            close(connection);
            if (options_.connectEach && mayOpen())
                open(connection);
            return;
        }
        check(connection, {input_.data(), static_cast<std::size_t>(got)});
        if (connection.received < connection.message.size())
            return;
        ++finished_;
        next(connection);
    }

    /// Takes a piece of the answer: it must be what was sent, and no more of it than was sent so far.
    void check(Connection& connection, std::string_view piece) {
        if (connection.state != State::Exchanging || piece.size() > connection.sent - connection.received)
            throw Failed("connection " + std::to_string(connection.index) + " got more than it sent");
        if (connection.message.substr(connection.received, piece.size()) != piece)
            throw Failed("connection " + std::to_string(connection.index) + " got a wrong byte in message " +
                         std::to_string(connection.number - 1));
        connection.received += piece.size();
        verifiedBytes_ += piece.size();
    }

    const Options options_;
    Pattern pattern_;
    Socket epoll_;
    std::vector<Connection> connections_;
    std::array<char, 65'536> input_;
    std::optional<Reading> first_;
    std::optional<Reading> last_;
    std::size_t open_ = 0;
    std::uint64_t opened_ = 0;
    std::uint64_t started_ = 0;
    std::uint64_t finished_ = 0;
    std::uint64_t verifiedBytes_ = 0;
};

struct Usage : std::invalid_argument {
    using std::invalid_argument::invalid_argument;
};

template <class Number>
void parse(std::string_view name, std::string_view text, Number& into) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), into);
    if (error != std::errc{} || end != text.data() + text.size() || into < 0)
        throw Usage(std::string(name) + " does not take " + std::string(text));
}

void set(Options& options, std::string_view name, std::string_view value) {
    if (name == "--port")
        parse(name, value, options.port);
    else if (name == "--connections")
        parse(name, value, options.connections);
    else if (name == "--size")
        parse(name, value, options.size);
    else if (name == "--messages")
        parse(name, value, options.messages);
    else if (name == "--seconds")
        parse(name, value, options.seconds);
    else if (name == "--warm-up")
        parse(name, value, options.warmUp);
    else if (name == "--server-pid")
        parse(name, value, options.serverPid);
    else if (name == "--limit")
        parse(name, value, options.limit);
    else if (name == "--workload" && (value == "echo" || value == "connect"))
        options.connectEach = value == "connect";
    else
        throw Usage("unknown: " + std::string(name) + " " + std::string(value));
}

Options optionsFrom(int argc, char** argv) {
    Options options;
    if (argc % 2 == 0)
        throw Usage("every option takes a value");
    for (int i = 1; i < argc; i += 2)
        set(options, argv[i], argv[i + 1]);
    if (options.port < 1 || options.port > 65'535)
        throw Usage("--port takes 1 to 65535");
    if (options.connections < 1 || options.connections > 10'000 || options.size < 1 || options.size > 65'536)
        throw Usage("--connections takes 1 to 10000, --size 1 to 65536");
    if ((options.messages > 0) == (options.seconds > 0))
        throw Usage("either --messages or --seconds");
    if (options.messages > 0 && options.warmUp > 0)
        throw Usage("--warm-up goes with --seconds");
    return options;
}

} // namespace

int main(int argc, char** argv) {
    try {
        Load load(optionsFrom(argc, argv));
        load.run();
        load.report();
        return 0;
    } catch (const Usage& error) {
        std::fprintf(stderr, "load_generator: %s\n", error.what());
        return 2;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "load_generator: %s\n", error.what());
        return 1;
    }
}
