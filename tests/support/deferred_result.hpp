#pragma once

#include <reactor/deferred.hpp>

#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace torsion::test {

using Trace = std::vector<std::string>;

/// Appends what became of a Deferred to a trace: "ok", the value where it is a text or a number, or the name of the
/// failure.
template <class T>
void traceResult(Deferred<T> deferred, Trace& trace) {
    std::move(deferred)
        .addBoth([&trace](Result<T> result) {
            if (!result)
                trace.push_back(result.failure().name());
            else if constexpr (std::is_arithmetic_v<T>)
                trace.push_back(std::to_string(*result));
            else if constexpr (std::is_convertible_v<T, std::string>)
                trace.push_back(*result);
            else
                trace.push_back("ok");
        })
        .detach();
}

/// What a Deferred came to that has its result, as traceResult() tells it; "none" when it has none.
template <class T>
std::string resultOf(Deferred<T> deferred) {
    Trace trace;
    if (!deferred.hasResult())
        return "none";
    traceResult(std::move(deferred), trace);
    return trace.at(0);
}

/// The value of a Deferred that has one. Raises its failure, and throws std::logic_error where there is no result.
template <class T>
T valueOf(Deferred<T> deferred) {
    if (!deferred.hasResult())
        throw std::logic_error("the Deferred has no result");
    std::optional<Result<T>> result;
    std::move(deferred).addBoth([&result](Result<T> own) { result.emplace(std::move(own)); }).detach();
    return std::move(*result).value();
}

/// The exception of class E that a Deferred has failed with. Throws another one where it has not.
template <class E, class T>
E errorOf(Deferred<T> deferred) {
    try {
        valueOf(std::move(deferred));
    } catch (const E& error) {
        return error;
    }
    throw std::logic_error("the Deferred did not fail");
}

} // namespace torsion::test
