#include <reactor/failure.hpp>

#include <reactor/detail/class_name.hpp>

#include <cxxabi.h>
#include <spdlog/fmt/fmt.h>

#include <cstring>
#include <stdexcept>
#include <utility>

namespace torsion {

namespace {

/// The kind of exceptions that are no Error: nobody's base, so that only the exception itself answers check().
constinit const ErrorKind kForeignKind{"exception", "", nullptr, nullptr, nullptr};

std::string errorText(const ErrorKind& kind, std::string message, int code) {
    if (!message.empty())
        return message;
    return code != 0 ? describeErrno(code) : std::string(kind.message);
}

} // namespace

constinit const ErrorKind Error::kKind{"Error", "Something failed.", nullptr, &typeid(Error),
                                       [](std::string message, int code) { throw Error(std::move(message), code); }};

Error::Error(std::string message, int code) : Error(kKind, std::move(message), code) {}

Error::Error(const ErrorKind& kind, std::string message, int code)
    : kind_(&kind), code_(code), message_(errorText(kind, std::move(message), code)) {}

const char* Error::what() const noexcept {
    return message_.c_str();
}

struct Failure::Detail {
    std::string message;
    std::source_location place;
    std::exception_ptr exception;
    std::string thrownName; // the class of the exception, where the kind does not tell it
    Failure cause;
};

Failure::Failure(const ErrorKind& kind, int code, std::string message, std::source_location place)
    : kind_(&kind), code_(code),
      detail_(std::make_shared<const Detail>(Detail{std::move(message), place, {}, {}, {}})) {}

Failure Failure::current(std::source_location place) {
    return fromException(std::current_exception(), place);
}

Failure Failure::fromException(std::exception_ptr exception, std::source_location place) {
    if (!exception)
        return {};
    Failure failure(kForeignKind, 0);
    Detail detail{{}, place, exception, {}, {}};
    try {
        std::rethrow_exception(std::move(exception));
    } catch (const Error& error) {
        failure.kind_ = &error.kind();
        failure.code_ = error.code();
        detail.message = error.what();
        if (typeid(error) != *failure.kind_->type)
            detail.thrownName = detail::className(typeid(error));
    } catch (const std::exception& error) {
        detail.message = error.what();
        detail.thrownName = detail::className(typeid(error));
    } catch (...) {
        detail.message = "an exception that is no std::exception";
        detail.thrownName = detail.message;
        if (const std::type_info* type = abi::__cxa_current_exception_type())
            detail.thrownName = detail::className(*type);
    }
    failure.detail_ = std::make_shared<const Detail>(std::move(detail));
    return failure;
}

void Failure::raise() const {
    if (kind_ == nullptr)
        throw std::logic_error("an empty Failure was raised");
    if (detail_ && detail_->exception)
        std::rethrow_exception(detail_->exception);
    kind_->raise(detail_ ? detail_->message : std::string(), code_);
    std::terminate(); // a kind's raise throws
}

std::string Failure::getErrorMessage() const {
    if (kind_ == nullptr)
        return {};
    return errorText(*kind_, detail_ ? detail_->message : std::string(), code_);
}

std::string Failure::name() const {
    if (kind_ == nullptr)
        return {};
    return detail_ && !detail_->thrownName.empty() ? detail_->thrownName : std::string(kind_->name);
}

Failure Failure::withCause(Failure cause) const {
    Failure copy(*this);
    Detail detail = detail_ ? *detail_ : Detail{{}, {}, {}, {}, {}};
    detail.cause = std::move(cause);
    copy.detail_ = std::make_shared<const Detail>(std::move(detail));
    return copy;
}

Failure Failure::cause() const {
    return detail_ ? detail_->cause : Failure();
}

std::exception_ptr Failure::exception() const noexcept {
    return detail_ ? detail_->exception : nullptr;
}

std::source_location Failure::place() const noexcept {
    return detail_ ? detail_->place : std::source_location();
}

std::string Failure::toString() const {
    if (kind_ == nullptr)
        return "no failure";
    std::string text = fmt::format("{}: {}", name(), getErrorMessage());
    for (Failure behind = cause(); behind; behind = behind.cause())
        text += fmt::format("; caused by {}: {}", behind.name(), behind.getErrorMessage());
    return text;
}

bool Failure::isOfKind(const ErrorKind& kind) const noexcept {
    for (const ErrorKind* mine = kind_; mine != nullptr; mine = mine->base) {
        if (mine == &kind)
            return true;
    }
    return false;
}

std::string describeErrno(int code) {
#ifdef __GLIBC__
    const char* description = ::strerrordesc_np(code);
    const char* name = ::strerrorname_np(code);
#else
    const char* description = code > 0 ? std::strerror(code) : nullptr;
    const char* name = nullptr;
#endif
    if (description == nullptr)
        return fmt::format("unknown error (errno {})", code);
    std::string text = description;
    // "Connection refused" stands inside of a sentence here; "RFS specific error" stays.
    if (text.size() > 1 && text[0] >= 'A' && text[0] <= 'Z' && text[1] >= 'a' && text[1] <= 'z')
        text[0] = static_cast<char>(text[0] - 'A' + 'a');
    return name != nullptr ? fmt::format("{} ({})", text, name) : fmt::format("{} (errno {})", text, code);
}

} // namespace torsion
