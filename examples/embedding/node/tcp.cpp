// listen() and connect().

#include "connection.hpp"

namespace addon {

namespace {

/// What listen() and connect() are given: {host, port} and the callbacks.
struct Wanted {
    Wanted(napi_env env, napi_callback_info info) {
        const Arguments<2> given(env, info);
        napi_value hostValue = nullptr;
        napi_value portValue = nullptr;
        if (!is(env, given[0], napi_object) || !is(env, given[1], napi_object) ||
            napi_get_named_property(env, given[0], "host", &hostValue) != napi_ok ||
            napi_get_named_property(env, given[0], "port", &portValue) != napi_ok || !is(env, hostValue, napi_string) ||
            napi_get_value_int32(env, portValue, &port) != napi_ok)
            return;
        host = stringOf(env, hostValue);
        callbacks = std::make_unique<Callbacks>(homeOf(env), given[1]);
    }

    std::string host;
    int port = 0;
    std::unique_ptr<Callbacks> callbacks; // null when it is something else
};

napi_value portNumber(napi_env env, napi_callback_info info) {
    const Call<torsion_port> call(env, info);
    return call.object ? number(env, torsion_port_number(call.object)) : nullptr;
}

/// port.close(callback): the callback is optional.
napi_value closePort(napi_env env, napi_callback_info info) {
    const Call<torsion_port> call(env, info);
    if (!call.object)
        return nullptr;
    std::unique_ptr<Reference> done;
    if (is(env, call.argument, napi_function))
        done = std::make_unique<Reference>(homeOf(env), call.argument);
    if (torsion_port_stop(call.object, done ? callOnce : nullptr, done.get()) != TORSION_OK)
        return throwLast(env);
    done.release(); // callOnce's
    return nullptr;
}

} // namespace

/// torsion.listen({host, port}, callbacks)
napi_value listen(napi_env env, napi_callback_info info) {
    Wanted wanted(env, info);
    if (!wanted.callbacks)
        return throwTypeError(env, "listen() takes {host, port} and the callbacks");
    const Environment& home = homeOf(env);
    const torsion_handlers functions = handlers();
    torsion_listen_options options{};
    options.size = sizeof options;
    options.interface = wanted.host.c_str();
    torsion_port* opened = nullptr;
    if (torsion_listen_tcp(home.reactor, wanted.port, &functions, wanted.callbacks.get(), &options, &opened) !=
        TORSION_OK)
        return throwLast(env);
    wanted.callbacks.release(); // the library's, until `released`
    napi_value object = nullptr;
    napi_new_instance(env, valueOf(env, home.portClass), 0, nullptr, &object);
    const auto collect = [](napi_env, void* data, void*) { torsion_port_release(static_cast<torsion_port*>(data)); };
    napi_wrap(env, object, opened, collect, nullptr, nullptr);
    return object;
}

/// torsion.connect({host, port}, callbacks)
napi_value connect(napi_env env, napi_callback_info info) {
    Wanted wanted(env, info);
    if (!wanted.callbacks)
        return throwTypeError(env, "connect() takes {host, port} and the callbacks");
    const torsion_handlers functions = handlers();
    if (torsion_connect_tcp(homeOf(env).reactor, wanted.host.c_str(), wanted.port, &functions, wanted.callbacks.get(),
                            nullptr, nullptr) != TORSION_OK)
        return throwLast(env);
    wanted.callbacks.release(); // the library's, until `released`
    return nullptr;
}

napi_ref definePort(napi_env env) {
    return defineClass(env, "Port", {method("close", closePort), getter("number", portNumber)});
}

} // namespace addon
