#pragma once

#include <concepts>
#include <exception>
#include <memory>
#include <source_location>
#include <string>
#include <string_view>
#include <type_traits>
#include <typeinfo>

namespace torsion {

/// What is known about a class of errors without an object of it. Each class has one as its static member `kKind`; they
/// are linked by `base` just as the classes derive from each other, so that a Failure can hold an error, and be asked
/// about it, without building an exception.
///
/// A class of your own derives from ErrorClass and defines its kind in one .cpp file:
/// @code
/// class LoginRefused : public torsion::ErrorClass<LoginRefused, torsion::Error> {
/// public:
///     using ErrorClass::ErrorClass;
///     static const torsion::ErrorKind kKind;
/// };
/// const torsion::ErrorKind LoginRefused::kKind =
///     torsion::ErrorKind::of<LoginRefused>("LoginRefused", "The server refused the login.", torsion::Error::kKind);
/// @endcode
/// A class that merely derives from an error class, without a `kKind`, can be thrown as well; a Failure then keeps the
/// exception itself, and check() finds it there.
struct ErrorKind {
    const char* name;           ///< The class, as messages name it.
    const char* message;        ///< What an error says that was given neither a message nor a code.
    const ErrorKind* base;      ///< The kind of the base class; null for Error's.
    const std::type_info* type; ///< Whose kind this is: a derived class inherits the name `kKind` too.
    void (*raise)(std::string message, int code); ///< Throws an object of the class; an empty message is the default.

    /// The kind of the class E. Constant initialised: may be used by other static initialisers.
    template <class E>
    static constexpr ErrorKind of(const char* name, const char* message, const ErrorKind& base) {
        return {name, message, &base, &typeid(E), [](std::string text, int code) { throw E(std::move(text), code); }};
    }
};

/// The base of all errors that Torsion raises. A value: message, code, kind.
class Error : public std::exception {
public:
    static const ErrorKind kKind;

    /// @param message what happened; when empty, the code's description, or else the kind's default.
    /// @param code an errno value, 0 for none.
    explicit Error(std::string message = {}, int code = 0);

    const char* what() const noexcept override;

    /// The errno value that the system gave, or 0 when there is none.
    int code() const noexcept { return code_; }

    const ErrorKind& kind() const noexcept { return *kind_; }

protected:
    Error(const ErrorKind& kind, std::string message, int code);

private:
    const ErrorKind* kind_;
    int code_;
    std::string message_;
};

/// What every error class has in common; see ErrorKind for its use. `Base` is Error or an error class.
template <class Self, class Base>
class ErrorClass : public Base {
public:
    /// See Error::Error.
    explicit ErrorClass(std::string message = {}, int code = 0) : Base(Self::kKind, std::move(message), code) {}

protected:
    ErrorClass(const ErrorKind& kind, std::string message, int code) : Base(kind, std::move(message), code) {}
};

/// Why something failed: a value that is cheap to copy. It holds the kind and code of an error and, only when needed, a
/// shared detail: message, cause, exception, place. Default constructed it is empty and converts to false.
///
/// After Twisted's Failure, but for the traceback. May be handed to another thread; a single object is not
/// synchronised.
class Failure {
public:
    Failure() noexcept = default;

    /// An error of class E with its default message. Allocates nothing. E has a `kKind` of its own.
    template <std::derived_from<Error> E>
    static Failure of() noexcept {
        return Failure(E::kKind, 0);
    }

    /// An error of class E; its message describes `code`, an errno value. Allocates nothing.
    template <std::derived_from<Error> E>
    static Failure of(int code) noexcept {
        return Failure(E::kKind, code);
    }

    /// An error of class E with a message of its own.
    template <std::derived_from<Error> E>
    static Failure of(std::string message, int code = 0, std::source_location place = std::source_location::current()) {
        return Failure(E::kKind, code, std::move(message), place);
    }

    /// The exception being handled; call it inside a catch. Empty outside of one.
    static Failure current(std::source_location place = std::source_location::current());

    /// Any exception. An Error keeps its kind and code; what it is else is kept, too, and raise() throws it again.
    /// A null pointer gives an empty Failure.
    static Failure fromException(std::exception_ptr exception,
                                 std::source_location place = std::source_location::current());

    /// False when empty.
    explicit operator bool() const noexcept { return kind_ != nullptr; }

    /// Whether this is an error of class E or of one derived from it. E may be any type that can be caught. Errors with
    /// a kind are recognised without an exception; for others the kept exception is thrown and caught, which costs
    /// some microseconds. False when empty.
    template <class E>
    bool check() const {
        if constexpr (std::derived_from<E, Error>) {
            if (*E::kKind.type == typeid(E))
                return isOfKind(E::kKind);
        } else if constexpr (std::is_base_of_v<E, Error>) {
            if (isOfKind(Error::kKind))
                return true;
        }
        return exceptionIs<E>();
    }

    /// Returns when check() is true for one of the classes, else raises the error.
    template <class... E>
    void trap() const {
        if (!(check<E>() || ...))
            raise();
    }

    /// Throws the error: the kept exception itself, or an object of its class. Throws std::logic_error when empty.
    [[noreturn]] void raise() const;

    /// What happened, as the exception's what() would tell it.
    std::string getErrorMessage() const;

    /// The errno value, 0 for none.
    int code() const noexcept { return code_; }

    /// The class of the error, e.g. "ConnectionLost"; with its namespace for foreign exceptions. "" when empty.
    std::string name() const;

    /// A copy that names `cause` as the reason behind this failure.
    [[nodiscard]] Failure withCause(Failure cause) const;

    /// The failure behind this one, or an empty one.
    Failure cause() const;

    /// The exception, where one was thrown; else null.
    std::exception_ptr exception() const noexcept;

    /// Where the Failure was made; line 0 where that was not recorded, as for `of<E>()`, which allocates nothing.
    std::source_location place() const noexcept;

    /// For logs: "ConnectionLost: connection reset by peer (ECONNRESET)", and the causes behind it. "no failure" when
    /// empty.
    std::string toString() const;

private:
    struct Detail;

    Failure(const ErrorKind& kind, int code) noexcept : kind_(&kind), code_(code) {}
    Failure(const ErrorKind& kind, int code, std::string message, std::source_location place);

    bool isOfKind(const ErrorKind& kind) const noexcept;

    template <class E>
    bool exceptionIs() const {
        const std::exception_ptr kept = exception();
        if (!kept)
            return false;
        try {
            std::rethrow_exception(kept);
        } catch (const E&) {
            return true;
        } catch (...) {
            return false;
        }
    }

    const ErrorKind* kind_ = nullptr;
    int code_ = 0;
    std::shared_ptr<const Detail> detail_;
};

/// The description of an errno value: "connection refused (ECONNREFUSED)".
std::string describeErrno(int code);

} // namespace torsion
