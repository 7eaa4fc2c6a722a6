// torsion.h's functions of a connection.

#include <reactor/embedding/detail/c_connection.hpp>
#include <reactor/failure.hpp>
#include <reactor/transport.hpp>

#include <spdlog/fmt/fmt.h>

#include <cstddef>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

using namespace torsion;
using namespace torsion::c;

namespace torsion::c {

namespace {

/// What a callback of another language ends with.
class CallbackError final : public ErrorClass<CallbackError, Error> {
public:
    using ErrorClass::ErrorClass;
    static const ErrorKind kKind;
};

const ErrorKind CallbackError::kKind =
    ErrorKind::of<CallbackError>("CallbackError", "A callback failed.", Error::kKind);

/// A producer that is functions of C; `Base` says of which kind. A function may replace it: nothing of it is used after
/// one.
template <class Base>
class FunctionProducer : public Base {
public:
    FunctionProducer(torsion_connection& connection, const torsion_producer& functions, void* user)
        : connection_(connection), functions_(functions), user_(user) {}

    void resumeProducing() override { call(functions_.resume); }
    void stopProducing() override {
        connection_.protocol->isProducing = false;
        call(functions_.stop);
    }

protected:
    void call(void (*f)(torsion_connection*, void*)) {
        if (!f)
            return;
        const Hold<torsion_connection> kept(connection_);
        const Inside inside(*kept->owner);
        f(kept.get(), user_);
    }

    torsion_connection& connection_; // whose protocol owns this
    const torsion_producer functions_;
    void* const user_;
};

class Push final : public FunctionProducer<PushProducer> {
public:
    using FunctionProducer::FunctionProducer;
    void pauseProducing() override { call(functions_.pause); }
};

using Pull = FunctionProducer<PullProducer>;

torsion_connection& checked(torsion_connection* connection) {
    checkThread(*given(connection, "connection").owner);
    return *connection;
}

/// The transport, also of a connection that is about to be lost; null when it is.
Transport* transportOf(torsion_connection* connection) {
    Connection* protocol = checked(connection).protocol;
    return protocol && protocol->transport->isConnected() ? protocol->transport : nullptr;
}

/// @throws Refusal when it is lost.
Transport& connected(torsion_connection* connection) {
    if (Transport* transport = transportOf(connection))
        return *transport;
    throw Refusal{TORSION_ERROR_GONE, "the connection is lost"};
}

template <class F>
int withTransport(const char* function, torsion_connection* connection, F&& f) noexcept {
    return guard(function, [&] {
        f(connected(connection));
        return TORSION_OK;
    });
}

/// For what may be asked of a lost connection, too.
template <class F>
int ifConnected(const char* function, torsion_connection* connection, F&& f) noexcept {
    return guard(function, [&] {
        if (Transport* transport = transportOf(connection))
            f(*transport);
        return TORSION_OK;
    });
}

void put(const Address& address, char* host, std::size_t size, int* number) {
    const std::string text = address.host();
    if (host) {
        if (size <= text.size())
            throw Refusal{TORSION_ERROR_ARGUMENT, fmt::format("{} bytes are too few for {}", size, text)};
        std::memcpy(host, text.c_str(), text.size() + 1);
    }
    if (number)
        *number = address.port();
}

template <class P>
void registerAs(torsion_connection& connection, Transport& transport, const torsion_producer& functions, void* user) {
    auto producer = std::make_unique<P>(connection, functions, user);
    const Hold<torsion_connection> kept(connection);
    connection.protocol->isProducing = true; // there is one, whether this one is taken or refused
    transport.registerProducer(*producer);
    if (connection.protocol) // not so when a host's loop ran in its `stop`, and told the loss
        connection.protocol->producer = std::move(producer);
}

} // namespace
} // namespace torsion::c

extern "C" {

int torsion_connection_write(torsion_connection* connection, const void* data, size_t size) {
    return withTransport(__func__, connection, [&](Transport& transport) {
        if (size != 0)
            given(static_cast<const char*>(data), "data");
        // Until its producer has ended a connection that is closing takes bytes.
        const bool closing = transport.isDisconnecting() && !connection->protocol->isProducing;
        transport.write(std::string_view(static_cast<const char*>(data), size)); // counts what it drops
        if (closing)
            throw Refusal{TORSION_ERROR_GONE, "the connection is closing"};
    });
}

int torsion_connection_flush(torsion_connection* connection) {
    return withTransport(__func__, connection, [](Transport& transport) { transport.flush(); });
}

int torsion_connection_lose(torsion_connection* connection) {
    return ifConnected(__func__, connection, [](Transport& transport) { transport.loseConnection(); });
}

int torsion_connection_lose_write(torsion_connection* connection) {
    return ifConnected(__func__, connection, [](Transport& transport) { transport.loseWriteConnection(); });
}

int torsion_connection_abort(torsion_connection* connection) {
    return ifConnected(__func__, connection, [](Transport& transport) { transport.abortConnection(); });
}

int torsion_connection_fail(torsion_connection* connection, const char* message) {
    return ifConnected(__func__, connection, [&](Transport& transport) {
        const std::string text = &given(message, "message");
        transport.guarded([&] { throw CallbackError(text); });
    });
}

int torsion_connection_pause_reading(torsion_connection* connection) {
    return withTransport(__func__, connection, [](Transport& transport) { transport.pauseProducing(); });
}

int torsion_connection_resume_reading(torsion_connection* connection) {
    return withTransport(__func__, connection, [](Transport& transport) { transport.resumeProducing(); });
}

int torsion_connection_register_producer(torsion_connection* connection, const torsion_producer* producer, void* user) {
    return withTransport(__func__, connection, [&](Transport& transport) {
        given(producer, "producer");
        const torsion_producer functions = taken(producer, "producer");
        given(functions.resume, "resume");
        if (functions.pause)
            registerAs<Push>(*connection, transport, functions, user);
        else
            registerAs<Pull>(*connection, transport, functions, user);
    });
}

int torsion_connection_unregister_producer(torsion_connection* connection) {
    return ifConnected(__func__, connection, [&](Transport& transport) {
        transport.unregisterProducer();
        connection->protocol->isProducing = false;
    });
}

int torsion_connection_buffered(torsion_connection* connection, size_t* bytes) {
    return withTransport(__func__, connection,
                         [&](Transport& transport) { given(bytes, "bytes") = transport.bufferedBytes(); });
}

int torsion_connection_is_connected(torsion_connection* connection) {
    return guard(__func__, [&] { return transportOf(connection) ? 1 : 0; });
}

int torsion_connection_peer(torsion_connection* connection, char* host, size_t size, int* number) {
    return guard(__func__, [&] {
        Transport* transport = transportOf(connection);
        put(transport ? transport->getPeer() : connection->peer, host, size, number);
        return TORSION_OK;
    });
}

int torsion_connection_host(torsion_connection* connection, char* host, size_t size, int* number) {
    return guard(__func__, [&] {
        Transport* transport = transportOf(connection);
        put(transport ? transport->getHost() : connection->host, host, size, number);
        return TORSION_OK;
    });
}

int torsion_connection_set_user(torsion_connection* connection, void* user) {
    return guard(__func__, [&] {
        checked(connection).user = user;
        return TORSION_OK;
    });
}

void* torsion_connection_user(torsion_connection* connection) {
    void* user = nullptr;
    guard(__func__, [&] {
        user = checked(connection).user;
        return TORSION_OK;
    });
    return user;
}

int torsion_connection_retain(torsion_connection* connection) {
    return retain(__func__, connection);
}

int torsion_connection_release(torsion_connection* connection) {
    return release(__func__, connection);
}
}
