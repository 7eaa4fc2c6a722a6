// What every part of the addon does with values and functions of JavaScript.

#include "environment.hpp"

namespace addon {

namespace {

/// An exception that JavaScript has left: taken from it, and what it says.
napi_value takeException(napi_env env, std::string& message) {
    napi_value error = nullptr;
    napi_value said = nullptr;
    napi_get_and_clear_last_exception(env, &error);
    if (napi_coerce_to_string(env, error, &said) == napi_ok)
        message = stringOf(env, said);
    return error;
}

napi_value construct(napi_env env, napi_callback_info info) {
    napi_value self = nullptr;
    napi_get_cb_info(env, info, nullptr, nullptr, &self, nullptr);
    return self;
}

} // namespace

napi_value Reference::value() const {
    return valueOf(env_, reference_);
}

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

napi_value errorOf(napi_env env, const torsion_reason& reason) {
    napi_value error = nullptr;
    if (reason.clean)
        napi_get_null(env, &error);
    else
        napi_create_error(env, text(env, reason.name), text(env, reason.message), &error);
    return error;
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

napi_value throwLast(napi_env env) {
    napi_throw_error(env, nullptr, torsion_last_error());
    return nullptr;
}

napi_value throwTypeError(napi_env env, const char* message) {
    napi_throw_type_error(env, nullptr, message);
    return nullptr;
}

void callBack(Environment& home, napi_value self, napi_value function, std::size_t count, const napi_value* arguments,
              torsion_connection* connection) {
    napi_value result = nullptr;
    if (napi_make_callback(home.env, home.context, self, function, count, arguments, &result) != napi_pending_exception)
        return;
    std::string message = "a callback threw";
    napi_value error = takeException(home.env, message);
    if (connection)
        torsion_connection_fail(connection, message.c_str());
    napi_fatal_exception(home.env, error);
}

void callBack(Environment& home, napi_value function) {
    napi_value self = nullptr;
    napi_get_global(home.env, &self);
    callBack(home, self, function, 0, nullptr, nullptr);
}

void callOnce(void* reference) {
    std::unique_ptr<Reference> ours(static_cast<Reference*>(reference));
    Environment& home = ours->home;
    if (home.ends)
        return;
    const Scope scope(home.env);
    napi_value function = ours->value();
    ours.reset();
    callBack(home, function);
}

napi_property_descriptor method(const char* name, napi_callback f) {
    return {name, nullptr, f, nullptr, nullptr, nullptr, napi_default_method, nullptr};
}

napi_property_descriptor getter(const char* name, napi_callback f) {
    return {name, nullptr, nullptr, f, nullptr, nullptr, napi_default, nullptr};
}

napi_ref defineClass(napi_env env, const char* name, std::size_t count, const napi_property_descriptor* members) {
    napi_value made = nullptr;
    napi_ref reference = nullptr;
    napi_define_class(env, name, NAPI_AUTO_LENGTH, construct, nullptr, count, members, &made);
    napi_create_reference(env, made, 1, &reference);
    return reference;
}

} // namespace addon
