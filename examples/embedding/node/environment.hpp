#pragma once

#include <reactor/embedding/torsion.h>

#include <node_api.h>

#include <cstddef>
#include <memory>
#include <string>

namespace addon {

class Reference;

/// What belongs to one environment: the main thread, or a worker.
struct Environment {
    napi_env env = nullptr;
    torsion_reactor* reactor = nullptr; // held: what is called after its end is refused
    napi_async_context context = nullptr;
    napi_ref connectionClass = nullptr;
    napi_ref portClass = nullptr;
    napi_ref timerClass = nullptr;
    std::unique_ptr<Reference> stopped; // what stop() was given
    bool ends = false;                  // no JavaScript can be called any more
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

/// Keeps a value of JavaScript.
class Reference {
public:
    Reference(Environment& of, napi_value value) : home(of), env_(of.env) {
        napi_create_reference(env_, value, 1, &reference_);
    }
    Reference(const Reference&) = delete;
    Reference& operator=(const Reference&) = delete;
    ~Reference() { napi_delete_reference(env_, reference_); }

    napi_value value() const;

    Environment& home;

private:
    napi_env env_; // when the environment ends it outlives `home`
    napi_ref reference_ = nullptr;
};

/// The environment of a function that JavaScript calls.
Environment& homeOf(napi_env env);

napi_value valueOf(napi_env env, napi_ref reference);
napi_value text(napi_env env, const std::string& from);
napi_value number(napi_env env, int from);

/// The error of JavaScript's for a reason; null for an orderly end.
napi_value errorOf(napi_env env, const torsion_reason& reason);

bool is(napi_env env, napi_value value, napi_valuetype wanted);
std::string stringOf(napi_env env, napi_value value);

/// Makes the last failure of the library a JavaScript error. Returns null, for who throws to return.
napi_value throwLast(napi_env env);

/// The same for a mistake in the arguments.
napi_value throwTypeError(napi_env env, const char* message);

/// Calls a function of JavaScript from the loop; what that throws drops `connection`, if it is not null, and is told to
/// the process.
void callBack(Environment& home, napi_value self, napi_value function, std::size_t count, const napi_value* arguments,
              torsion_connection* connection);

/// The same for a function without arguments, of no object.
void callBack(Environment& home, napi_value function);

/// A torsion_function: calls a Reference's function, unless the environment ends, and forgets it.
void callOnce(void* reference);

/// The object that a method is called on, and its argument.
template <class T>
struct Call {
    Call(napi_env env, napi_callback_info info) {
        std::size_t count = 1;
        napi_value self = nullptr;
        napi_get_cb_info(env, info, &count, &argument, &self, nullptr);
        void* data = nullptr;
        if (napi_unwrap(env, self, &data) != napi_ok)
            throwTypeError(env, "it is not made by this module");
        object = static_cast<T*>(data);
    }

    T* object = nullptr; // null when an exception is on its way
    napi_value argument = nullptr;
};

/// The arguments of a function; what is missing is undefined.
template <std::size_t N>
struct Arguments {
    Arguments(napi_env env, napi_callback_info info) {
        std::size_t count = N;
        napi_get_cb_info(env, info, &count, values, nullptr, nullptr);
    }

    napi_value operator[](std::size_t i) const { return values[i]; }

    napi_value values[N] = {};
};

napi_property_descriptor method(const char* name, napi_callback f);
napi_property_descriptor getter(const char* name, napi_callback f);
napi_ref defineClass(napi_env env, const char* name, std::size_t count, const napi_property_descriptor* members);

template <std::size_t N>
napi_ref defineClass(napi_env env, const char* name, const napi_property_descriptor (&members)[N]) {
    return defineClass(env, name, N, members);
}

// Each in its file: the classes, and the module's functions.

napi_ref defineConnection(napi_env env);
napi_ref definePort(napi_env env);
napi_ref defineTimer(napi_env env);
napi_value listen(napi_env env, napi_callback_info info);
napi_value connect(napi_env env, napi_callback_info info);
napi_value callLater(napi_env env, napi_callback_info info);
napi_value callFromThread(napi_env env, napi_callback_info info);

} // namespace addon
