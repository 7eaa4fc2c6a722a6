#include "program.hpp"

#include <reactor/connector.hpp>
#include <reactor/deferred.hpp>
#include <reactor/errors.hpp>
#include <reactor/listening_port.hpp>
#include <reactor/log.hpp>
#include <reactor/react.hpp>

#include <CLI/CLI.hpp>
#include <spdlog/fmt/fmt.h>

#include <cstdio>
#include <exception>
#include <filesystem>
#include <utility>

namespace examples {

Program::Program(std::string_view about, Role role, int defaultPort)
    : app_(std::make_unique<CLI::App>(std::string(about))), port_(defaultPort) {
    const bool server = role == Role::Server;
    app_->add_option("--host", host_, server ? "numeric address to listen on" : "name or address to connect to")
        ->capture_default_str();
    app_->add_option("--port", port_, server ? "port to listen on; 0: any free one" : "port to connect to")
        ->check(CLI::Range(server ? 0 : 1, 65535))
        ->capture_default_str();
    app_->add_option("--log-level", logLevel_, "what is logged on stderr")
        ->check(CLI::IsMember({"trace", "debug", "info", "warning", "error", "critical", "off"}))
        ->capture_default_str();
}

Program::~Program() = default;

void Program::option(const char* name, std::string& value, const char* about) {
    app_->add_option(name, value, about)->capture_default_str();
}

template <typename T>
void Program::option(const char* name, T& value, Bounds<std::type_identity_t<T>> bounds, const char* about) {
    app_->add_option(name, value, about)->check(CLI::Range(bounds.least, bounds.most))->capture_default_str();
}

template void Program::option(const char*, int&, Bounds<int>, const char*);
template void Program::option(const char*, std::int64_t&, Bounds<std::int64_t>, const char*);
template void Program::option(const char*, std::uint64_t&, Bounds<std::uint64_t>, const char*);

void Program::check(std::function<void()> check) {
    app_->callback([check = std::move(check)] {
        try {
            check();
        } catch (const UsageError& error) {
            throw CLI::ValidationError(error.what());
        }
    });
}

// True: go on. The exit status is in status_.
bool Program::parse(int argc, const char* const* argv) {
    name_ = std::filesystem::path(argv[0]).filename().string();
    app_->name(name_);
    try {
        app_->parse(argc, argv);
    } catch (const CLI::CallForHelp&) {
        std::fputs(app_->help().c_str(), stdout);
        return false;
    } catch (const CLI::ParseError& error) {
        fmt::print(stderr, "{}: {} (see --help)\n", name_, error.what());
        status_ = 2;
        return false;
    }
    return true;
}

int Program::run(int argc, const char* const* argv, torsion::CallableRef<void(torsion::UvReactor&)> body) {
    return run(argc, argv, [&] {
        torsion::UvReactor reactor;
        body(reactor);
    });
}

int Program::run(int argc, const char* const* argv, torsion::CallableRef<void()> body) {
    // By lines also into a pipe: whoever reads our output sees it when it is printed.
    std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);
    if (!parse(argc, argv))
        return status_;
    torsion::log::logger()->set_level(spdlog::level::from_str(logLevel_));
    try {
        body();
    } catch (const std::exception& error) {
        fail(error.what());
    }
    return status_;
}

void Program::serve(torsion::UvReactor& reactor, std::shared_ptr<torsion::Factory> factory,
                    torsion::ListenOptions options) {
    listen(reactor, std::move(factory), options);
    reactor.run();
}

void Program::serve(torsion::UvReactor& reactor, torsion::StreamHandler handler, torsion::ServeOptions options) {
    options.listen.interface = host_;
    announce(reactor, *torsion::serveStreams(reactor, port_, std::move(handler), options));
    reactor.run();
}

int Program::listen(torsion::UvReactor& reactor, std::shared_ptr<torsion::Factory> factory,
                    torsion::ListenOptions options) const {
    options.interface = host_;
    return announce(reactor, *reactor.listenTCP(port_, std::move(factory), options));
}

// Once it runs, because a signal is an orderly end only from then on.
int Program::announce(torsion::UvReactor& reactor, const torsion::ListeningPort& port) {
    const int number = port.getHost().port();
    reactor.callWhenRunning([number] { fmt::print("READY {}\n", number); });
    return number;
}

int Program::react(int argc, const char* const* argv,
                   torsion::CallableRef<torsion::Deferred<void>(torsion::Reactor&)> main) {
    return run(argc, argv, [&](torsion::UvReactor& reactor) {
        const int status = torsion::react(reactor, [&](torsion::Reactor& own) {
            return torsion::maybeDeferred(main, own).addErrback([this](const torsion::Failure& failure) {
                if (!failure.check<torsion::SystemExit>() && !failure.check<torsion::CancelledError>())
                    throw torsion::SystemExit(fail(failure.getErrorMessage()));
                return failure;
            });
        });
        status_ = status_ == 0 ? status : status_;
    });
}

void Program::connect(torsion::UvReactor& reactor, std::shared_ptr<torsion::ClientFactory> factory) {
    reactor.connectTCP(host_, port_, std::move(factory));
    reactor.run();
}

int Program::fail(std::string_view message) {
    if (status_ == 0)
        fmt::print(stderr, "{}: {}\n", name_, message);
    return status_ = 1;
}

void stop(torsion::Reactor& reactor) {
    try {
        reactor.stop();
    } catch (const torsion::ReactorNotRunning&) { // a signal was quicker
    }
}

void OneConnectionFactory::clientConnectionFailed(const std::shared_ptr<torsion::Connector>& connector,
                                                  const torsion::Failure& reason) {
    program_.fail(reason.getErrorMessage());
    stop(connector->reactor());
}

void OneConnectionFactory::clientConnectionLost(const std::shared_ptr<torsion::Connector>& connector,
                                                const torsion::Failure& reason) {
    if (!reason.check<torsion::ConnectionDone>() && connector->reactor().isRunning())
        program_.fail(reason.getErrorMessage());
    stop(connector->reactor());
}

} // namespace examples
