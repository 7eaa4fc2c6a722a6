// A Node.js addon: the reactor on Node's own libuv loop, through the C interface and Node-API alone.
//
//     const torsion = require('torsion.node');
//     const port = torsion.listen({host: '127.0.0.1', port: 0}, {
//         connectionMade(connection) { … },                // connection.peer: {host, port}
//         dataReceived(connection, data) { … },            // a Buffer; connection.write(data), .lose(), .abort(),
//         connectionLost(connection, error) { … },         // .pause(), .resume(); error: null after an orderly end
//     });
//     port.number; port.close(() => { … });
//     torsion.connect({host: 'localhost', port: 7}, {connectionFailed(error) { … }, …});
//     torsion.callLater(milliseconds, () => { … }).cancel();
//     torsion.callFromThread(() => { … });
//     torsion.stop(() => { torsion.start(); });            // everything is closed
//     torsion.destroy();                                   // at once, and for ever
//
// What is open keeps Node running, and nothing else does. What a callback throws becomes an uncaughtException, and
// drops its connection. The environment's end (of a worker thread, too) closes what is ours.

#include "environment.hpp"

#include <utility>

namespace addon {

namespace {

napi_value start(napi_env env, napi_callback_info) {
    return torsion_start(homeOf(env).reactor) == TORSION_OK ? nullptr : throwLast(env);
}

/// torsion.stop(callback): the callback is optional.
napi_value stop(napi_env env, napi_callback_info info) {
    const Arguments<1> given(env, info);
    Environment& home = homeOf(env);
    if (torsion_stop(home.reactor, 0) != TORSION_OK)
        return throwLast(env);
    if (is(env, given[0], napi_function))
        home.stopped = std::make_unique<Reference>(home, given[0]);
    return nullptr;
}

void hasStopped(void* user) {
    if (auto stopped = std::exchange(static_cast<Environment*>(user)->stopped, nullptr))
        callOnce(stopped.release());
}

napi_value destroy(napi_env env, napi_callback_info) {
    Environment& home = homeOf(env);
    return torsion_destroy(home.reactor) == TORSION_OK ? nullptr : throwLast(env);
}

/// The environment ends: what is ours is closed, without a word to JavaScript, and Node runs the loop until it is.
/// Where process.exit() was called in one of our callbacks the process ends with everything open.
void cleanUp(napi_async_cleanup_hook_handle hook, void* data) {
    auto& home = *static_cast<Environment*>(data);
    home.ends = true;
    home.stopped.reset();
    const auto closed = [](void* user) {
        napi_remove_async_cleanup_hook(static_cast<napi_async_cleanup_hook_handle>(user));
    };
    if (torsion_destroy_then(home.reactor, closed, hook) != TORSION_OK)
        closed(hook);
}

void forget(napi_env, void* data, void*) {
    const std::unique_ptr<Environment> home(static_cast<Environment*>(data));
    torsion_release(home->reactor);
}

} // namespace
} // namespace addon

NAPI_MODULE_INIT() {
    using namespace addon;
    auto home = std::make_unique<Environment>();
    home->env = env;
    uv_loop_s* loop = nullptr;
    napi_get_uv_event_loop(env, &loop);
    home->reactor = torsion_abi_version() >= TORSION_ABI_VERSION ? torsion_new_on_loop(loop) : nullptr;
    if (!home->reactor)
        return throwLast(env);
    torsion_retain(home->reactor);
    torsion_set_log(nullptr, 3, nullptr); // warnings, to stderr
    torsion_on_stopped(home->reactor, hasStopped, home.get());
    torsion_start(home->reactor);
    napi_async_init(env, nullptr, text(env, "torsion"), &home->context);
    home->connectionClass = defineConnection(env);
    home->portClass = definePort(env);
    home->timerClass = defineTimer(env);
    const napi_property_descriptor functions[] = {
        method("listen", listen),       method("connect", connect),
        method("callLater", callLater), method("callFromThread", callFromThread),
        method("start", start),         method("stop", stop),
        method("destroy", destroy),
    };
    napi_define_properties(env, exports, sizeof functions / sizeof *functions, functions);
    napi_add_async_cleanup_hook(env, cleanUp, home.get(), nullptr);
    napi_set_instance_data(env, home.release(), forget, nullptr);
    return exports;
}
