#pragma once

#include <reactor/deferred.hpp>

#include <string>
#include <utility>
#include <vector>

namespace torsion::test {

using Trace = std::vector<std::string>;

/// Appends what became of a Deferred to a trace: "ok", or the name of the failure.
inline void traceResult(Deferred<void> deferred, Trace& trace) {
    std::move(deferred)
        .addCallbacks([&trace] { trace.push_back("ok"); },
                      [&trace](const Failure& failure) { trace.push_back(failure.name()); })
        .detach();
}

/// What a Deferred came to that has its result.
inline std::string resultOf(Deferred<void> deferred) {
    Trace trace;
    if (!deferred.hasResult())
        return "none";
    traceResult(std::move(deferred), trace);
    return trace.at(0);
}

} // namespace torsion::test
