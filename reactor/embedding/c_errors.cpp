// What the C interface does with what goes wrong, and with the log.

#include <reactor/embedding/detail/c_handles.hpp>
#include <reactor/errors.hpp>
#include <reactor/log.hpp>

#include <spdlog/sinks/sink.h>

#include <algorithm>
#include <memory>
#include <new>
#include <span>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

namespace torsion::c {

namespace {

struct LastError {
    std::string text;
    const char* plain = nullptr; // in its place, when there was no memory for one
    int number = 0;
};

thread_local LastError lastError;

// A structure of more bytes is none: its size was never set.
constexpr std::size_t kLargestStructure = 4096;

int codeOf(const Failure& failure) {
    if (failure.check<std::bad_alloc>())
        return TORSION_ERROR_MEMORY;
    if (failure.check<CannotListenError>() || failure.check<std::system_error>())
        return TORSION_ERROR_SYSTEM;
    if (failure.check<std::invalid_argument>() || failure.check<InvalidAddressError>())
        return TORSION_ERROR_ARGUMENT;
    if (failure.check<ReactorNotRunning>() || failure.check<ReactorAlreadyRunning>() ||
        failure.check<AlreadyCalled>() || failure.check<AlreadyCancelled>() ||
        failure.check<ProducerAlreadyRegistered>() || failure.check<std::logic_error>())
        return TORSION_ERROR_STATE;
    return TORSION_ERROR_OTHER;
}

int keep(const char* function, int code, int number, const std::string& text) {
    lastError.text = std::string(function) + ": " + text;
    lastError.plain = nullptr;
    lastError.number = number;
    return code;
}

int errnoOf(const Failure& failure) {
    try {
        failure.raise();
    } catch (const std::system_error& error) {
        return error.code().value();
    } catch (...) {
        return failure.code();
    }
}

/// Gives what is logged to a function of C.
class FunctionSink final : public spdlog::sinks::sink {
public:
    FunctionSink(torsion_log_function f, void* user) : f_(f), user_(user) {}

    void log(const spdlog::details::log_msg& message) override {
        const std::string text(message.payload.begin(), message.payload.end());
        f_(static_cast<int>(message.level), text.c_str(), text.size(), user_);
    }
    void flush() override {}
    void set_pattern(const std::string&) override {}
    void set_formatter(std::unique_ptr<spdlog::formatter>) override {}

private:
    torsion_log_function f_;
    void* user_;
};

} // namespace

int failCurrent(const char* function) noexcept {
    try {
        try {
            throw;
        } catch (const Refusal& refusal) {
            return keep(function, refusal.code, 0, refusal.text);
        } catch (...) {
            const Failure failure = Failure::current();
            return keep(function, codeOf(failure), errnoOf(failure), failure.getErrorMessage());
        }
    } catch (...) {
        lastError.plain = "there is no memory for the text of the error";
        lastError.number = 0;
        return TORSION_ERROR_MEMORY;
    }
}

void contain(const char* what, void (*f)(void*), void* user) noexcept {
    try {
        f(user);
    } catch (...) {
        log::error("{}: {}", what, Failure::current().toString());
    }
}

void checkSize(const char* name, const void* given, std::size_t size, std::span<const std::size_t> sizes) {
    const std::size_t known = sizes.back();
    const auto refuse = [&](const char* why) {
        throw Refusal{TORSION_ERROR_ARGUMENT, fmt::format("{}: its size, {}, {}", name, size, why)};
    };
    if (size > kLargestStructure || (size < known && std::find(sizes.begin(), sizes.end(), size) == sizes.end()))
        refuse("is not that of the structure");
    const auto* bytes = static_cast<const char*>(given);
    if (size > known && std::any_of(bytes + known, bytes + size, [](char byte) { return byte != 0; }))
        refuse("is that of a newer library's structure, whose members are used");
}

} // namespace torsion::c

extern "C" {

int torsion_abi_version(void) {
    return TORSION_ABI_VERSION;
}

const char* torsion_last_error(void) {
    using torsion::c::lastError;
    return lastError.plain ? lastError.plain : lastError.text.c_str();
}

int torsion_last_errno(void) {
    return torsion::c::lastError.number;
}

int torsion_set_log(torsion_log_function log, int level, void* user) {
    return torsion::c::guard(__func__, [&] {
        if (level < 0 || level >= static_cast<int>(spdlog::level::off))
            throw torsion::c::Refusal{TORSION_ERROR_ARGUMENT, fmt::format("there is no level {}", level)};
        std::shared_ptr<spdlog::logger> logger;
        if (log)
            logger = std::make_shared<spdlog::logger>("torsion", std::make_shared<torsion::c::FunctionSink>(log, user));
        torsion::log::setLogger(std::move(logger));
        torsion::log::logger()->set_level(static_cast<spdlog::level::level_enum>(level));
        return TORSION_OK;
    });
}
}
