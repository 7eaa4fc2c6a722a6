#pragma once

#include <reactor/deferred.hpp>
#include <reactor/factory.hpp>
#include <reactor/function.hpp>
#include <reactor/libuv/uv_reactor.hpp>
#include <reactor/options.hpp>
#include <reactor/stream.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

namespace CLI {
class App;
}

namespace examples {

/// Which side a program is on; decides what --host and --port mean.
enum class Role { Server, Client };

/// The least and the most that an option takes.
template <typename T>
struct Bounds {
    T least;
    T most;
};

/// What is wrong with a command line. Printed, and the exit status is 2.
class UsageError : public std::invalid_argument {
public:
    using std::invalid_argument::invalid_argument;
};

/// What the examples have in common, so that each shows only what it is about: the command line (--help, --host,
/// --port, --log-level), a reactor, one line on stderr for what goes wrong, the exit status.
///
///     int main(int argc, char** argv) {
///         examples::Program program("Sends back what it receives.", examples::Role::Server, 7007);
///         return program.run(argc, argv, [&](torsion::UvReactor& reactor) {
///             program.serve(reactor, torsion::Factory::forProtocol<torsion::Echo>());
///         });
///     }
class Program {
public:
    Program(std::string_view about, Role role, int defaultPort);
    ~Program();

    /// An option of the program's own, to be named before `run`; `value` holds the default, and has to outlive `run`.
    /// @tparam T int, std::int64_t or std::uint64_t
    template <typename T>
    void option(const char* name, T& value, Bounds<std::type_identity_t<T>> bounds, const char* about);
    void option(const char* name, std::string& value, const char* about);

    /// Has `check` called when the command line has been read; it throws UsageError for what cannot be.
    void check(std::function<void()> check);

    const std::string& host() const noexcept { return host_; }
    int port() const noexcept { return port_; }

    /// Reads the command line, makes a reactor and calls `body` with it.
    /// @returns the exit status: 0; 1 when `body` threw or `fail` was called; 2 for wrong usage.
    int run(int argc, const char* const* argv, torsion::CallableRef<void(torsion::UvReactor&)> body);

    /// As above, but `body` makes the reactor itself.
    int run(int argc, const char* const* argv, torsion::CallableRef<void()> body);

    /// Reads the command line, makes a reactor and runs `main` on it with torsion::react: a program that is one
    /// coroutine. What that fails with is told as by `fail`; a signal cancels it.
    /// @returns the exit status, as of `run`.
    int react(int argc, const char* const* argv, torsion::CallableRef<torsion::Deferred<void>(torsion::Reactor&)> main);

    /// Listens on --host and --port, prints `READY <port>` once it does, and runs the reactor until a signal ends it.
    /// @param options the interface is --host
    void serve(torsion::UvReactor& reactor, std::shared_ptr<torsion::Factory> factory,
               torsion::ListenOptions options = {});

    /// As above, with a handler for each connection.
    /// @param options the interface is --host
    void serve(torsion::UvReactor& reactor, torsion::StreamHandler handler, torsion::ServeOptions options = {});

    /// Listens as `serve` does, and leaves it to a host's loop to run the reactor.
    /// @returns the port's number
    int listen(torsion::UvReactor& reactor, std::shared_ptr<torsion::Factory> factory,
               torsion::ListenOptions options = {}) const;

    /// Connects to --host and --port, and runs the reactor until somebody stops it.
    void connect(torsion::UvReactor& reactor, std::shared_ptr<torsion::ClientFactory> factory);

    /// Prints `NAME: message` on stderr; the exit status will be 1, which it returns. Only the first of several is
    /// printed.
    int fail(std::string_view message);

private:
    static int announce(torsion::UvReactor& reactor, const torsion::ListeningPort& port);
    bool parse(int argc, const char* const* argv);

    std::unique_ptr<CLI::App> app_;
    std::string name_;
    std::string host_ = "127.0.0.1";
    std::string logLevel_ = "warning";
    int port_;
    int status_ = 0;
};

/// Stops the reactor, unless somebody did already.
void stop(torsion::Reactor& reactor);

/// The factory of a client that has one connection and ends with it: a failed or broken connection is the program's
/// failure, and any end stops the reactor.
class OneConnectionFactory : public torsion::ClientFactory {
public:
    explicit OneConnectionFactory(Program& program) : program_(program) {}

    void clientConnectionFailed(const std::shared_ptr<torsion::Connector>& connector,
                                const torsion::Failure& reason) override;
    void clientConnectionLost(const std::shared_ptr<torsion::Connector>& connector,
                              const torsion::Failure& reason) override;

private:
    Program& program_;
};

} // namespace examples
