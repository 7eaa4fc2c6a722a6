#include "conformance/driver.hpp"

#include "support/skip.hpp"

#include <reactor/errors.hpp>
#include <reactor/factory.hpp>
#include <reactor/libuv/uv_reactor.hpp>
#include <reactor/protocol.hpp>

#include <string_view>

namespace torsion::test {

namespace {

// Whether the machine can listen on ::1.
bool hasIPv6() {
    UvReactor reactor;
    const auto factory = Factory::forProtocol<Protocol>();
    factory->noisy = false;
    try {
        reactor.listenTCP(0, factory, {.interface = "::1"});
        return true;
    } catch (const CannotListenError&) {
        return false;
    }
}

} // namespace

void Driver::runUntil(CallableRef<bool()> condition) {
    REQUIRE_MESSAGE(reaches(condition), "what was waited for did not happen within 10 s");
}

void Driver::turns(int count) {
    for (int i = 0; i < count; ++i)
        turn();
}

bool Driver::isIPv6() const noexcept {
    return std::string_view(loopback()) == "::1";
}

void runOnBackends(RunOn which, void (*body)(Driver&)) {
    static const bool withIPv6 = hasIPv6();
    bool skipped = false;
    for (const Backend& backend : backends()) {
        if (which != RunOn::All && !backend.isReal)
            continue;
        if (which == RunOn::RealAlone && !backend.isAlone)
            continue;
        INFO("backend: ", backend.name);
        const std::unique_ptr<Driver> driver = backend.make();
        if (backend.isReal && driver->isIPv6() && !withIPv6) {
            skipped = true;
            continue;
        }
        body(*driver);
    }
    if (skipped)
        support::reportSkip("network", "no IPv6 loopback");
}

} // namespace torsion::test
