// A Node.js addon: the reactor on Node's own libuv loop, through the C interface and Node-API alone.
//
//     const torsion = require('torsion.node');
//     const port = torsion.listen({host: '127.0.0.1', port: 0}, {
//         connectionMade(connection) { … },                // connection.peer: {host, port}
//         dataReceived(connection, data) { … },            // a Buffer; connection.write(data), .lose(), .abort()
//         connectionLost(connection, error) { … },         // null after an orderly end
//     });
//     port.number; port.close(() => { … });
//
// What is open keeps Node running, and nothing else does. What a callback throws becomes an uncaughtException, and
// drops its connection. The environment's end (of a worker thread, too) closes what is ours.

#include <reactor/embedding/torsion.h>

#include <node_api.h>

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

namespace {

/// What belongs to one environment: the main thread, or a worker.
struct Environment {
    napi_env env = nullptr;
    torsion_reactor* reactor = nullptr;
    napi_async_context context = nullptr;
    napi_ref connectionClass = nullptr;
    napi_ref portClass = nullptr;
    bool ends = false; // no JavaScript can be called any more
};

/// The callbacks that listen() was given. Lives until the library releases it.
struct Listener {
    Environment& home;
    napi_ref callbacks;
};

/// What a Connection of JavaScript stands for; that object's, until it is collected.
struct Connection {
    Listener* listener; // null once the connection is lost
    torsion_connection* handle;
    napi_ref object = nullptr; // keeps the object while there is a connection; null where none could be made
};

/// While it lives values of JavaScript can be made outside of a function that JavaScript calls.
class Scope {
public:
    explicit Scope(napi_env env) : env_(env) { napi_open_handle_scope(env, &scope_); }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;
    ~Scope() { napi_close_handle_scope(env_, scope_); }

private:
    napi_env env_;
    napi_handle_scope scope_ = nullptr;
};

Environment& homeOf(napi_env env) {
    void* data = nullptr;
    napi_get_instance_data(env, &data);
    return *static_cast<Environment*>(data);
}

napi_value valueOf(napi_env env, napi_ref reference) {
    napi_value value = nullptr;
    napi_get_reference_value(env, reference, &value);
    return value;
}

napi_value text(napi_env env, const std::string& from) {
    napi_value value = nullptr;
    napi_create_string_utf8(env, from.data(), from.size(), &value);
    return value;
}

napi_value number(napi_env env, int from) {
    napi_value value = nullptr;
    napi_create_int32(env, from, &value);
    return value;
}

bool is(napi_env env, napi_value value, napi_valuetype wanted) {
    napi_valuetype type = napi_undefined;
    napi_typeof(env, value, &type);
    return type == wanted;
}

std::string stringOf(napi_env env, napi_value value) {
    std::size_t size = 0;
    if (napi_get_value_string_utf8(env, value, nullptr, 0, &size) != napi_ok)
        return {};
    std::string result(size, '\0');
    napi_get_value_string_utf8(env, value, result.data(), size + 1, &size);
    return result;
}

/// Makes the last failure of the library a JavaScript error.
napi_value throwLast(napi_env env) {
    napi_throw_error(env, nullptr, torsion_last_error());
    return nullptr;
}

/// An exception that JavaScript has left: taken from it, and what it says.
napi_value takeException(napi_env env, std::string& message) {
    napi_value error = nullptr;
    napi_value said = nullptr;
    napi_get_and_clear_last_exception(env, &error);
    if (napi_coerce_to_string(env, error, &said) == napi_ok)
        message = stringOf(env, said);
    return error;
}

/// Calls a function of JavaScript from the loop; what that throws drops `connection`, if it is not null, and is told to
/// the process.
template <std::size_t N>
void callBack(Environment& home, napi_value self, napi_value function, const napi_value (&arguments)[N],
              torsion_connection* connection) {
    napi_value result = nullptr;
    if (napi_make_callback(home.env, home.context, self, function, N, arguments, &result) != napi_pending_exception)
        return;
    std::string message = "a callback threw";
    napi_value error = takeException(home.env, message);
    if (connection)
        torsion_connection_fail(connection, message.c_str());
    napi_fatal_exception(home.env, error);
}

/// Calls the listener's function of that name, if it has one.
template <std::size_t N>
void tell(Listener& listener, const char* name, const napi_value (&arguments)[N], torsion_connection* connection) {
    napi_value callbacks = valueOf(listener.home.env, listener.callbacks);
    napi_value function = nullptr;
    napi_get_named_property(listener.home.env, callbacks, name, &function);
    if (is(listener.home.env, function, napi_function))
        callBack(listener.home, callbacks, function, arguments, connection);
}

// The library's calls

void drop(Connection* connection) {
    torsion_connection_release(connection->handle);
    delete connection;
}

/// An object for the connection, which owns it. Null in a worker that is being terminated.
napi_value makeObject(Connection& connection) {
    const Environment& home = connection.listener->home;
    const auto collect = [](napi_env, void* data, void*) { drop(static_cast<Connection*>(data)); };
    napi_value object = nullptr;
    if (napi_new_instance(home.env, valueOf(home.env, home.connectionClass), 0, nullptr, &object) != napi_ok ||
        napi_wrap(home.env, object, &connection, collect, nullptr, nullptr) != napi_ok)
        return nullptr;
    napi_create_reference(home.env, object, 1, &connection.object);
    return object;
}

void connectionMade(torsion_connection* handle, void* user) {
    auto& listener = *static_cast<Listener*>(user);
    const Scope scope(listener.home.env);
    torsion_connection_retain(handle);
    auto* made = new Connection{&listener, handle};
    torsion_connection_set_user(handle, made);
    if (napi_value object = makeObject(*made))
        tell(listener, "connectionMade", {object}, handle);
    else
        torsion_connection_abort(handle);
}

void dataReceived(torsion_connection* handle, const char* data, std::size_t size, void* user) {
    auto& connection = *static_cast<Connection*>(user);
    const napi_env env = connection.listener->home.env;
    const Scope scope(env);
    napi_value buffer = nullptr;
    napi_create_buffer_copy(env, size, data, nullptr, &buffer);
    tell(*connection.listener, "dataReceived", {valueOf(env, connection.object), buffer}, handle);
}

napi_value errorOf(napi_env env, const torsion_reason& reason) {
    napi_value error = nullptr;
    if (reason.clean)
        napi_get_null(env, &error);
    else
        napi_create_error(env, text(env, reason.name), text(env, reason.message), &error);
    return error;
}

void connectionLost(torsion_connection*, const torsion_reason* reason, void* user) {
    auto& connection = *static_cast<Connection*>(user);
    Listener& listener = *std::exchange(connection.listener, nullptr);
    const napi_env env = listener.home.env;
    if (!connection.object)
        return drop(&connection);
    if (listener.home.ends)
        return;
    const Scope scope(env);
    napi_value object = valueOf(env, connection.object);
    napi_delete_reference(env, connection.object);
    tell(listener, "connectionLost", {object, errorOf(env, *reason)}, nullptr);
}

void released(void* user) {
    const std::unique_ptr<Listener> listener(static_cast<Listener*>(user));
    if (!listener->home.ends)
        napi_delete_reference(listener->home.env, listener->callbacks);
}

// JavaScript's calls

/// The object that a method is called on, and its arguments.
template <class T>
struct Call {
    Call(napi_env env, napi_callback_info info) {
        std::size_t count = 1;
        napi_value self = nullptr;
        napi_get_cb_info(env, info, &count, &argument, &self, nullptr);
        void* data = nullptr;
        if (napi_unwrap(env, self, &data) != napi_ok)
            napi_throw_type_error(env, nullptr, "it is not made by this module");
        object = static_cast<T*>(data);
    }

    T* object = nullptr; // null when an exception is on its way
    napi_value argument = nullptr;
};

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
        if (!is(env, call.argument, napi_string)) {
            napi_throw_type_error(env, nullptr, "write() takes a string or a Buffer");
            return nullptr;
        }
        const std::string bytes = stringOf(env, call.argument);
        result = torsion_connection_write(call.object->handle, bytes.data(), bytes.size());
    }
    if (result != TORSION_OK && result != TORSION_ERROR_GONE)
        return throwLast(env);
    napi_value sent = nullptr;
    napi_get_boolean(env, result == TORSION_OK, &sent);
    return sent;
}

template <int (*F)(torsion_connection*)>
napi_value apply(napi_env env, napi_callback_info info) {
    const Call<Connection> call(env, info);
    if (call.object && F(call.object->handle) != TORSION_OK)
        throwLast(env);
    return nullptr;
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

napi_value portNumber(napi_env env, napi_callback_info info) {
    const Call<torsion_port> call(env, info);
    return call.object ? number(env, torsion_port_number(call.object)) : nullptr;
}

/// What port.close() was given.
struct Closing {
    Environment& home;
    napi_ref function;
};

/// port.close(callback): the callback is optional.
napi_value closePort(napi_env env, napi_callback_info info) {
    const Call<torsion_port> call(env, info);
    if (!call.object)
        return nullptr;
    if (!is(env, call.argument, napi_function))
        return torsion_port_stop(call.object, nullptr, nullptr) == TORSION_OK ? nullptr : throwLast(env);
    auto closing = std::make_unique<Closing>(Closing{homeOf(env), nullptr});
    napi_create_reference(env, call.argument, 1, &closing->function);
    const auto done = [](void* user) {
        const std::unique_ptr<Closing> ours(static_cast<Closing*>(user));
        if (ours->home.ends)
            return;
        const Scope scope(ours->home.env);
        napi_value function = valueOf(ours->home.env, ours->function);
        napi_delete_reference(ours->home.env, ours->function);
        napi_value self = nullptr;
        napi_get_global(ours->home.env, &self);
        callBack(ours->home, self, function, {self}, nullptr);
    };
    if (torsion_port_stop(call.object, done, closing.get()) != TORSION_OK)
        return throwLast(env);
    closing.release(); // done's
    return nullptr;
}

/// torsion.listen({host, port}, callbacks)
napi_value listen(napi_env env, napi_callback_info info) {
    std::size_t count = 2;
    napi_value arguments[2] = {nullptr, nullptr};
    napi_get_cb_info(env, info, &count, arguments, nullptr, nullptr);
    napi_value host = nullptr;
    napi_value port = nullptr;
    int wanted = 0;
    const bool areObjects = is(env, arguments[0], napi_object) && is(env, arguments[1], napi_object);
    if (!areObjects || napi_get_named_property(env, arguments[0], "host", &host) != napi_ok ||
        napi_get_named_property(env, arguments[0], "port", &port) != napi_ok || !is(env, host, napi_string) ||
        napi_get_value_int32(env, port, &wanted) != napi_ok) {
        napi_throw_type_error(env, nullptr, "listen() takes {host, port} and the callbacks");
        return nullptr;
    }
    Environment& home = homeOf(env);
    auto listener = std::make_unique<Listener>(Listener{home, nullptr});
    napi_create_reference(env, arguments[1], 1, &listener->callbacks);

    torsion_handlers handlers{};
    handlers.size = sizeof handlers;
    handlers.connection_made = connectionMade;
    handlers.data_received = dataReceived;
    handlers.connection_lost = connectionLost;
    handlers.released = released;
    const std::string interface = stringOf(env, host);
    torsion_listen_options options{};
    options.size = sizeof options;
    options.interface = interface.c_str();
    torsion_port* opened = nullptr;
    if (torsion_listen_tcp(home.reactor, wanted, &handlers, listener.get(), &options, &opened) != TORSION_OK) {
        napi_delete_reference(env, listener->callbacks);
        return throwLast(env);
    }
    listener.release(); // the library's, until `released`
    napi_value object = nullptr;
    napi_new_instance(env, valueOf(env, home.portClass), 0, nullptr, &object);
    const auto collect = [](napi_env, void* data, void*) { torsion_port_release(static_cast<torsion_port*>(data)); };
    napi_wrap(env, object, opened, collect, nullptr, nullptr);
    return object;
}

// The module

/// The environment ends: what is ours is closed, without a word to JavaScript, and Node runs the loop until it is.
/// Where process.exit() was called in one of our callbacks the process ends with everything open.
void cleanUp(napi_async_cleanup_hook_handle hook, void* data) {
    auto& home = *static_cast<Environment*>(data);
    home.ends = true;
    torsion_destroy(home.reactor);
    napi_remove_async_cleanup_hook(hook);
}

napi_value construct(napi_env env, napi_callback_info info) {
    napi_value self = nullptr;
    napi_get_cb_info(env, info, nullptr, nullptr, &self, nullptr);
    return self;
}

template <std::size_t N>
napi_ref defineClass(napi_env env, const char* name, const napi_property_descriptor (&members)[N]) {
    napi_value made = nullptr;
    napi_ref reference = nullptr;
    napi_define_class(env, name, NAPI_AUTO_LENGTH, construct, nullptr, N, members, &made);
    napi_create_reference(env, made, 1, &reference);
    return reference;
}

napi_property_descriptor method(const char* name, napi_callback f) {
    return {name, nullptr, f, nullptr, nullptr, nullptr, napi_default_method, nullptr};
}

napi_property_descriptor getter(const char* name, napi_callback f) {
    return {name, nullptr, nullptr, f, nullptr, nullptr, napi_default, nullptr};
}

} // namespace

NAPI_MODULE_INIT() {
    auto home = std::make_unique<Environment>();
    home->env = env;
    uv_loop_s* loop = nullptr;
    napi_get_uv_event_loop(env, &loop);
    home->reactor = torsion_abi_version() >= TORSION_ABI_VERSION ? torsion_new_on_loop(loop) : nullptr;
    if (!home->reactor)
        return throwLast(env);
    torsion_set_log(nullptr, 3, nullptr); // warnings, to stderr
    napi_async_init(env, nullptr, text(env, "torsion"), &home->context);
    home->connectionClass = defineClass(env, "Connection",
                                        {
                                            method("write", write),
                                            method("lose", apply<torsion_connection_lose>),
                                            method("abort", apply<torsion_connection_abort>),
                                            getter("peer", peer),
                                        });
    home->portClass = defineClass(env, "Port", {method("close", closePort), getter("number", portNumber)});
    const napi_property_descriptor functions[] = {method("listen", listen)};
    napi_define_properties(env, exports, 1, functions);
    napi_add_async_cleanup_hook(env, cleanUp, home.get(), nullptr);
    const auto forget = [](napi_env, void* data, void*) { delete static_cast<Environment*>(data); };
    napi_set_instance_data(env, home.release(), forget, nullptr);
    return exports;
}
