// torsion.h's ports and connectors, and the calls from their connections.

#include <reactor/connector.hpp>
#include <reactor/deferred.hpp>
#include <reactor/embedding/detail/c_connection.hpp>
#include <reactor/errors.hpp>
#include <reactor/listening_port.hpp>
#include <reactor/options.hpp>

#include <spdlog/fmt/fmt.h>

#include <chrono>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <utility>

using namespace torsion;
using namespace torsion::c;

struct torsion_port : Counted {
    explicit torsion_port(torsion_reactor& reactor) : owner(reactor) {}

    const Hold<torsion_reactor> owner;
    std::weak_ptr<ListeningPort> port; // the reactor's, until it has stopped and its connections are lost
    int number = 0;
};

struct torsion_connector : Counted {
    explicit torsion_connector(torsion_reactor& reactor) : owner(reactor), number(++reactor.lastConnector) {}

    const Hold<torsion_reactor> owner;
    const std::uint64_t number; // in its connectors
};

namespace torsion::c {

Reason::Reason(const Failure& failure) : name_(failure.name()), message_(failure.getErrorMessage()) {
    reason_ = {name_.c_str(), message_.c_str(), failure.code(), failure.check<ConnectionDone>() ? 1 : 0};
}

Handlers::~Handlers() {
    if (kept_ && functions_.released)
        contain("released", functions_.released, user_);
}

std::shared_ptr<Protocol> Handlers::buildProtocol(const Address&) {
    if (!kept_)
        return nullptr;
    return std::make_shared<Connection>(*reactor_, *this, user_);
}

void Handlers::clientConnectionFailed(const std::shared_ptr<Connector>&, const Failure& reason) {
    if (kept_ && functions_.connection_failed)
        functions_.connection_failed(Reason(reason).get(), user_);
}

Connection::Connection(torsion_reactor& reactor, const Handlers& handlers, void* user)
    : functions_(handlers.functions()), handle_(std::make_unique<torsion_connection>(reactor, *this, user)) {}

Connection::~Connection() {
    lose();
}

/// @returns whether there is such a function.
template <class F, class... Args>
bool Connection::call(F f, Args... args) {
    if (!f)
        return false;
    f(handle_.get(), args..., handle_->user);
    return true;
}

void Connection::connectionMade() {
    call(functions_.connection_made);
}

void Connection::dataReceived(std::string_view data) {
    call(functions_.data_received, data.data(), data.size());
}

void Connection::connectionLost(const Failure& reason) {
    handle_->peer = transport->getPeer();
    handle_->host = transport->getHost();
    // Whatever the function does: its connection is not there any more.
    struct Loss {
        Connection& connection;
        ~Loss() { connection.lose(); }
    } const loss{*this};
    call(functions_.connection_lost, Reason(reason).get());
}

void Connection::readConnectionLost() {
    if (!call(functions_.read_connection_lost))
        Protocol::readConnectionLost();
}

void Connection::writeConnectionLost() {
    call(functions_.write_connection_lost);
}

void Connection::lose() noexcept {
    handle_->protocol = nullptr;
    producer.reset();
}

namespace {

constexpr std::int64_t kDefaultTimeout = 30'000; // ms

std::string_view textOf(const char* text) {
    return text ? std::string_view(text) : std::string_view();
}

int checkedPort(int number, int least) {
    if (number < least || number > 65535)
        throw Refusal{TORSION_ERROR_ARGUMENT, fmt::format("port {} is not in {}..65535", number, least)};
    return number;
}

std::shared_ptr<Handlers> handlersOf(torsion_reactor& reactor, const torsion_handlers* functions, void* user) {
    given(functions, "handlers");
    return std::make_shared<Handlers>(reactor, taken(functions, "handlers"), user);
}

ListenOptions listenOptions(const torsion_listen_options& given) {
    ListenOptions options{.interface = textOf(given.interface), .reusePort = given.reuse_port != 0};
    if (given.backlog != 0)
        options.backlog = given.backlog;
    if (given.max_connections != 0)
        options.maxConnections = given.max_connections;
    return options;
}

ConnectOptions connectOptions(const torsion_connect_options& given) {
    if (given.timeout_ms < -1)
        throw Refusal{TORSION_ERROR_ARGUMENT, fmt::format("timeout_ms is {}", given.timeout_ms)};
    ConnectOptions options{
        .timeout = std::chrono::milliseconds(given.timeout_ms == 0 ? kDefaultTimeout : given.timeout_ms),
        .bindHost = textOf(given.bind_host),
        .bindPort = static_cast<std::uint16_t>(checkedPort(given.bind_port, 0)),
    };
    if (given.timeout_ms == -1)
        options.timeout.reset();
    return options;
}

/// Ended: null when that has been long ago.
Deferred<void> stopListening(ListeningPort* port) {
    return port ? port->stopListening() : Deferred<void>::succeed();
}

/// Calls `done` once the port has ended, and never inside of the call that ends it.
void stopPort(torsion_port& handle, UvReactor& reactor, torsion_function done, void* user) {
    const auto forget = [](const Failure&) {}; // the reactor's end, of which C is told by `done`
    const std::shared_ptr<ListeningPort> port = handle.port.lock();
    if (!done)
        return stopListening(port.get()).addErrback(forget).detach();
    const auto told = std::make_shared<Callback>(done, user);
    const auto inside = std::make_shared<bool>(true);
    const auto now = [told](const auto&) { (*told)(); };
    auto tell = [now, forget, inside, &reactor](const auto& result) {
        if (*inside)
            reactor.sleep(std::chrono::nanoseconds(0)).addBoth(now).addErrback(forget).detach();
        else
            now(result);
    };
    stopListening(port.get()).addBoth(tell).addErrback(forget).detach();
    *inside = false;
}

Connector& connectorOf(torsion_connector* connector) {
    alive(*given(connector, "connector").owner);
    return *connector->owner->connectors.at(connector->number);
}

/// The last handle is released: nothing else may keep the connector, so it goes in a later dispatch.
void forgetLater(torsion_reactor& owner, std::uint64_t number) {
    owner.reactor->callLater(std::chrono::nanoseconds(0),
                             [reactor = &owner, number] { auto gone = reactor->connectors.extract(number); });
}

} // namespace
} // namespace torsion::c

extern "C" {

int torsion_listen_tcp(torsion_reactor* reactor, int number, const torsion_handlers* handlers, void* user,
                       const torsion_listen_options* options, torsion_port** port) {
    return guard(__func__, [&] {
        UvReactor& loop = alive(given(reactor, "reactor"));
        checkedPort(number, 0);
        const auto factory = handlersOf(*reactor, handlers, user);
        const torsion_listen_options chosen = taken(options, "options");
        auto handle = wanted(port, *reactor);
        const auto opened = loop.listenTCP(number, factory, listenOptions(chosen));
        factory->keep();
        if (!handle)
            return TORSION_OK;
        handle->port = opened;
        handle->number = opened->getHost().port();
        *port = handle.release();
        return TORSION_OK;
    });
}

int torsion_port_number(torsion_port* port) {
    return guard(__func__, [&] {
        checkThread(*given(port, "port").owner);
        return port->number;
    });
}

int torsion_port_stop(torsion_port* port, torsion_function done, void* user) {
    return guard(__func__, [&] {
        UvReactor& reactor = alive(*given(port, "port").owner);
        stopPort(*port, reactor, done, user);
        return TORSION_OK;
    });
}

int torsion_port_retain(torsion_port* port) {
    return retain(__func__, port);
}

int torsion_port_release(torsion_port* port) {
    return release(__func__, port);
}

int torsion_connect_tcp(torsion_reactor* reactor, const char* host, int number, const torsion_handlers* handlers,
                        void* user, const torsion_connect_options* options, torsion_connector** connector) {
    return guard(__func__, [&] {
        UvReactor& loop = alive(given(reactor, "reactor"));
        given(host, "host");
        checkedPort(number, 1);
        const auto factory = handlersOf(*reactor, handlers, user);
        const torsion_connect_options chosen = taken(options, "options");
        auto handle = wanted(connector, *reactor);
        decltype(reactor->connectors) entry;
        if (handle)
            entry.emplace(handle->number, nullptr);
        auto begun = loop.connectTCP(host, number, factory, connectOptions(chosen));
        factory->keep();
        if (!handle)
            return TORSION_OK;
        entry.begin()->second = std::move(begun);
        reactor->connectors.merge(entry);
        *connector = handle.release();
        return TORSION_OK;
    });
}

int torsion_connector_connect(torsion_connector* connector) {
    return guard(__func__, [&] {
        connectorOf(connector).connect();
        return TORSION_OK;
    });
}

int torsion_connector_disconnect(torsion_connector* connector) {
    return guard(__func__, [&] {
        connectorOf(connector).disconnect();
        return TORSION_OK;
    });
}

int torsion_connector_retain(torsion_connector* connector) {
    return retain(__func__, connector);
}

int torsion_connector_release(torsion_connector* connector) {
    return guard(__func__, [&] {
        const Hold<torsion_reactor> owner = given(connector, "the handle").owner;
        checkCounting(*owner);
        if (owner->alive && owner->reactor && connector->holders == 1)
            forgetLater(*owner, connector->number);
        Hold<torsion_connector>::drop(*connector);
        return TORSION_OK;
    });
}
}
