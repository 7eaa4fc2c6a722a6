// Calls that come later: by the clock, and from another thread.

#include "environment.hpp"

#include <cmath>
#include <cstdint>

namespace addon {

namespace {

/// What a Timer of JavaScript stands for; that object's, until it is collected.
struct Timer {
    Environment& home;
    torsion_timer* handle = nullptr;
    std::unique_ptr<Reference> object;   // keeps the object until the call has happened or is cancelled
    std::unique_ptr<Reference> function; // as long
};

void fire(void* user) {
    auto& timer = *static_cast<Timer*>(user);
    Environment& home = timer.home;
    const Scope scope(home.env);
    napi_value function = timer.function->value();
    timer.function.reset();
    timer.object.reset();
    callBack(home, function);
}

/// The object is gone, or the environment ends.
void collect(napi_env, void* data, void*) {
    const std::unique_ptr<Timer> timer(static_cast<Timer*>(data));
    torsion_timer_release(timer->handle);
}

napi_value cancel(napi_env env, napi_callback_info info) {
    const Call<Timer> call(env, info);
    if (!call.object)
        return nullptr;
    if (torsion_timer_cancel(call.object->handle) != TORSION_OK)
        return throwLast(env);
    call.object->function.reset();
    call.object->object.reset();
    return nullptr;
}

/// A thread of Node's pool that asks for a call.
struct Errand {
    Environment& home;
    std::unique_ptr<Reference> function;
    napi_async_work work = nullptr;
    bool isAsked = false; // and the function is callOnce's
};

void ask(napi_env, void* data) {
    auto& errand = *static_cast<Errand*>(data);
    errand.isAsked = torsion_call_from_thread(errand.home.reactor, callOnce, errand.function.get()) == TORSION_OK;
}

void asked(napi_env env, napi_status, void* data) {
    const std::unique_ptr<Errand> errand(static_cast<Errand*>(data));
    if (errand->isAsked)
        errand->function.release();
    napi_delete_async_work(env, errand->work);
}

} // namespace

/// torsion.callLater(milliseconds, function)
napi_value callLater(napi_env env, napi_callback_info info) {
    const Arguments<2> given(env, info);
    double delay = 0;
    if (napi_get_value_double(env, given[0], &delay) != napi_ok || !(std::abs(delay) <= 1e12) ||
        !is(env, given[1], napi_function))
        return throwTypeError(env, "callLater() takes milliseconds and a function");
    Environment& home = homeOf(env);
    auto timer = std::make_unique<Timer>(Timer{home, nullptr, nullptr, nullptr});
    const auto nanoseconds = static_cast<std::int64_t>(delay * 1e6);
    if (torsion_call_later(home.reactor, nanoseconds, fire, timer.get(), &timer->handle) != TORSION_OK)
        return throwLast(env);
    napi_value object = nullptr;
    napi_new_instance(env, valueOf(env, home.timerClass), 0, nullptr, &object);
    timer->object = std::make_unique<Reference>(home, object);
    timer->function = std::make_unique<Reference>(home, given[1]);
    napi_wrap(env, object, timer.release(), collect, nullptr, nullptr);
    return object;
}

/// torsion.callFromThread(function): how a thread of an addon's own gets back to JavaScript.
napi_value callFromThread(napi_env env, napi_callback_info info) {
    const Arguments<1> given(env, info);
    if (!is(env, given[0], napi_function))
        return throwTypeError(env, "callFromThread() takes a function");
    Environment& home = homeOf(env);
    auto errand = std::make_unique<Errand>(Errand{home, std::make_unique<Reference>(home, given[0]), nullptr, false});
    napi_create_async_work(env, nullptr, text(env, "torsion"), ask, asked, errand.get(), &errand->work);
    napi_queue_async_work(env, errand.release()->work);
    return nullptr;
}

napi_ref defineTimer(napi_env env) {
    return defineClass(env, "Timer", {method("cancel", cancel)});
}

} // namespace addon
