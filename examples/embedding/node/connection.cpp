// Connections: what the library tells of them, and what JavaScript does with them.

#include "connection.hpp"

#include <utility>

namespace addon {

namespace {

/// What a Connection of JavaScript stands for; that object's, until it is collected.
struct Connection {
    Callbacks* callbacks; // null once the connection is lost
    torsion_connection* handle;
    napi_ref object = nullptr; // keeps the object while there is a connection; null where none could be made
};

/// Calls the callback of that name, if there is one.
template <std::size_t N>
void tell(Callbacks& callbacks, const char* name, const napi_value (&arguments)[N], torsion_connection* connection) {
    Environment& home = callbacks.home;
    napi_value object = callbacks.value();
    napi_value function = nullptr;
    napi_get_named_property(home.env, object, name, &function);
    if (is(home.env, function, napi_function))
        callBack(home, object, function, N, arguments, connection);
}

void drop(Connection* connection) {
    torsion_connection_release(connection->handle);
    delete connection;
}

/// An object for the connection, which owns it. Null in a worker that is being terminated.
napi_value makeObject(Connection& connection) {
    const Environment& home = connection.callbacks->home;
    const auto collect = [](napi_env, void* data, void*) { drop(static_cast<Connection*>(data)); };
    napi_value object = nullptr;
    if (napi_new_instance(home.env, valueOf(home.env, home.connectionClass), 0, nullptr, &object) != napi_ok ||
        napi_wrap(home.env, object, &connection, collect, nullptr, nullptr) != napi_ok)
        return nullptr;
    napi_create_reference(home.env, object, 1, &connection.object);
    return object;
}

// The library's calls

void connectionMade(torsion_connection* handle, void* user) {
    auto& callbacks = *static_cast<Callbacks*>(user);
    const Scope scope(callbacks.home.env);
    torsion_connection_retain(handle);
    auto* made = new Connection{&callbacks, handle};
    torsion_connection_set_user(handle, made);
    if (napi_value object = makeObject(*made))
        tell(callbacks, "connectionMade", {object}, handle);
    else
        torsion_connection_abort(handle);
}

void dataReceived(torsion_connection* handle, const char* data, std::size_t size, void* user) {
    auto& connection = *static_cast<Connection*>(user);
    const napi_env env = connection.callbacks->home.env;
    const Scope scope(env);
    napi_value buffer = nullptr;
    napi_create_buffer_copy(env, size, data, nullptr, &buffer);
    tell(*connection.callbacks, "dataReceived", {valueOf(env, connection.object), buffer}, handle);
}

void connectionLost(torsion_connection*, const torsion_reason* reason, void* user) {
    auto& connection = *static_cast<Connection*>(user);
    Callbacks& callbacks = *std::exchange(connection.callbacks, nullptr);
    const napi_env env = callbacks.home.env;
    if (!connection.object)
        return drop(&connection);
    if (callbacks.home.ends)
        return;
    const Scope scope(env);
    napi_value object = valueOf(env, connection.object);
    napi_delete_reference(env, connection.object);
    tell(callbacks, "connectionLost", {object, errorOf(env, *reason)}, nullptr);
}

void connectionFailed(const torsion_reason* reason, void* user) {
    auto& callbacks = *static_cast<Callbacks*>(user);
    if (callbacks.home.ends)
        return;
    const Scope scope(callbacks.home.env);
    tell(callbacks, "connectionFailed", {errorOf(callbacks.home.env, *reason)}, nullptr);
}

void released(void* user) {
    delete static_cast<Callbacks*>(user);
}

// JavaScript's calls

/// connection.write(data): whether it is sent; false when the connection is closing or lost.
napi_value write(napi_env env, napi_callback_info info) {
    const Call<Connection> call(env, info);
    if (!call.object)
        return nullptr;
    bool isBuffer = false;
    napi_is_buffer(env, call.argument, &isBuffer);
    int result = TORSION_OK;
    if (isBuffer) {
        void* data = nullptr;
        std::size_t size = 0;
        napi_get_buffer_info(env, call.argument, &data, &size);
        result = torsion_connection_write(call.object->handle, data, size);
    } else {
        if (!is(env, call.argument, napi_string))
            return throwTypeError(env, "write() takes a string or a Buffer");
        const std::string bytes = stringOf(env, call.argument);
        result = torsion_connection_write(call.object->handle, bytes.data(), bytes.size());
    }
    if (result != TORSION_OK && result != TORSION_ERROR_GONE)
        return throwLast(env);
    napi_value sent = nullptr;
    napi_get_boolean(env, result == TORSION_OK, &sent);
    return sent;
}

/// Does nothing on a connection that is lost.
template <int (*F)(torsion_connection*)>
napi_value apply(napi_env env, napi_callback_info info) {
    const Call<Connection> call(env, info);
    if (!call.object)
        return nullptr;
    const int result = F(call.object->handle);
    return result == TORSION_OK || result == TORSION_ERROR_GONE ? nullptr : throwLast(env);
}

napi_value peer(napi_env env, napi_callback_info info) {
    const Call<Connection> call(env, info);
    if (!call.object)
        return nullptr;
    char host[TORSION_HOST_SIZE];
    int port = 0;
    if (torsion_connection_peer(call.object->handle, host, sizeof host, &port) != TORSION_OK)
        return throwLast(env);
    napi_value result = nullptr;
    napi_create_object(env, &result);
    napi_set_named_property(env, result, "host", text(env, host));
    napi_set_named_property(env, result, "port", number(env, port));
    return result;
}

} // namespace

torsion_handlers handlers() {
    torsion_handlers result{};
    result.size = sizeof result;
    result.connection_made = connectionMade;
    result.data_received = dataReceived;
    result.connection_lost = connectionLost;
    result.connection_failed = connectionFailed;
    result.released = released;
    return result;
}

napi_ref defineConnection(napi_env env) {
    return defineClass(env, "Connection",
                       {
                           method("write", write),
                           method("lose", apply<torsion_connection_lose>),
                           method("abort", apply<torsion_connection_abort>),
                           method("pause", apply<torsion_connection_pause_reading>),
                           method("resume", apply<torsion_connection_resume_reading>),
                           getter("peer", peer),
                       });
}

} // namespace addon
