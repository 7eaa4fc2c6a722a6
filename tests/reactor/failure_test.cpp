#include <reactor/errors.hpp>
#include <reactor/failure.hpp>

#include "support/alloc_count.hpp"
#include <doctest/doctest.h>

#include <cerrno>
#include <stdexcept>

using namespace torsion;

namespace app {

/// As the documentation of ErrorKind says.
class LoginRefused : public ErrorClass<LoginRefused, ConnectionClosed> {
public:
    using ErrorClass::ErrorClass;
    static const ErrorKind kKind;
};

const ErrorKind LoginRefused::kKind =
    ErrorKind::of<LoginRefused>("LoginRefused", "The server refused the login.", ConnectionClosed::kKind);

/// Without a kind of its own.
class Kicked : public ConnectionLost {
public:
    Kicked() : ConnectionLost("kicked") {}
};

struct Plain {};

} // namespace app

namespace {

template <class E>
Failure caught(E error) {
    try {
        throw error;
    } catch (...) {
        return Failure::current();
    }
}

} // namespace

TEST_CASE("a default constructed Failure is empty") {
    const Failure failure;
    CHECK_FALSE(static_cast<bool>(failure));
    CHECK_FALSE(failure.check<Error>());
    CHECK_FALSE(failure.check<std::exception>());
    CHECK(failure.name() == "");
    CHECK(failure.getErrorMessage() == "");
    CHECK(failure.toString() == "no failure");
    CHECK_THROWS_AS(failure.raise(), std::logic_error);
    CHECK_FALSE(static_cast<bool>(Failure::current()));
    CHECK_FALSE(static_cast<bool>(Failure::fromException(nullptr)));
}

TEST_CASE("check follows the hierarchy of the error classes") {
    const Failure done = Failure::of<ConnectionDone>();
    CHECK(done.check<ConnectionDone>());
    CHECK(done.check<ConnectionClosed>());
    CHECK(done.check<Error>());
    CHECK(done.check<std::exception>());
    CHECK_FALSE(done.check<ConnectionLost>());
    CHECK_FALSE(done.check<std::runtime_error>());

    CHECK(Failure::of<ConnectionAborted>().check<ConnectionLost>());
    CHECK(Failure::of<WriteLimitError>().check<ConnectionLost>());
    CHECK(Failure::of<TimeoutError>().check<UserError>());
    CHECK(Failure::of<TimeoutError>().check<ConnectError>());
    CHECK(Failure::of<ConnectingCancelledError>().check<UserError>());
    CHECK(Failure::of<CannotListenError>().check<BindError>());
    CHECK_FALSE(Failure::of<AlreadyCalled>().check<AlreadyCalledError>());
}

TEST_CASE("a Failure says what happened: its own message, its code, or what the class says") {
    CHECK(Failure::of<ConnectionLost>(ECONNRESET).toString() ==
          "ConnectionLost: connection reset by peer (ECONNRESET)");
    CHECK(Failure::of<ConnectionLost>(ECONNRESET).code() == ECONNRESET);
    CHECK(Failure::of<UserError>("enough").toString() == "UserError: enough");
    CHECK(Failure::of<CancelledError>().getErrorMessage() == CancelledError().what());
    CHECK(Failure::of<CancelledError>().code() == 0);
    CHECK(Failure::of<UserError>("enough").place().line() != 0);
    CHECK(Failure::of<UserError>().place().line() == 0);
}

TEST_CASE("raise throws an object of the class, with message and code") {
    try {
        Failure::of<NoRouteError>(EHOSTUNREACH).raise();
    } catch (const NoRouteError& error) {
        CHECK(error.code() == EHOSTUNREACH);
        CHECK(std::string(error.what()) == "no route to host (EHOSTUNREACH)");
        CHECK(&error.kind() == &NoRouteError::kKind);
    }
    CHECK_THROWS_AS(Failure::of<ConnectionAborted>().raise(), ConnectionLost);
    CHECK_THROWS_WITH_AS(Failure::of<UserError>("enough").raise(), "enough", ConnectError);
}

TEST_CASE("trap returns for the classes named and raises all others") {
    const Failure failure = Failure::of<ConnectionRefusedError>(ECONNREFUSED);
    CHECK_NOTHROW(failure.trap<ConnectionRefusedError>());
    CHECK_NOTHROW(failure.trap<TimeoutError, ConnectError>());
    CHECK_THROWS_AS((failure.trap<TimeoutError, ConnectionLost>()), ConnectionRefusedError);
    CHECK_NOTHROW(caught(std::out_of_range("7")).trap<std::logic_error>());
}

TEST_CASE("an Error that was thrown keeps its class, code, message and members") {
    const Failure failure = caught(CannotListenError("::1", 80, EACCES));
    CHECK(failure.check<CannotListenError>());
    CHECK(failure.check<BindError>());
    CHECK(failure.code() == EACCES);
    CHECK(failure.toString() == "CannotListenError: Couldn't listen on [::1]:80: permission denied (EACCES)");
    try {
        failure.raise();
    } catch (const CannotListenError& error) {
        CHECK(error.interface() == "::1");
        CHECK(error.port() == 80);
    }
}

TEST_CASE("other exceptions are kept as they are") {
    const Failure range = caught(std::out_of_range("index 7"));
    CHECK(range.toString() == "std::out_of_range: index 7");
    CHECK(range.check<std::out_of_range>());
    CHECK(range.check<std::logic_error>());
    CHECK(range.check<std::exception>());
    CHECK_FALSE(range.check<std::runtime_error>());
    CHECK_FALSE(range.check<Error>());
    CHECK_THROWS_AS(range.raise(), std::out_of_range);

    const Failure plain = caught(app::Plain());
    CHECK(plain.name() == "app::Plain");
    CHECK(plain.check<app::Plain>());
    CHECK_FALSE(plain.check<std::exception>());
    CHECK_THROWS_AS(plain.raise(), app::Plain);

    CHECK(caught(42).name() == "int");
    CHECK(caught(42).check<int>());
}

TEST_CASE("a user's error class with a kind needs no exception") {
    const Failure failure = Failure::of<app::LoginRefused>();
    CHECK(failure.toString() == "LoginRefused: The server refused the login.");
    CHECK(failure.check<app::LoginRefused>());
    CHECK(failure.check<ConnectionClosed>());
    CHECK_FALSE(failure.check<ConnectionLost>());
    CHECK_FALSE(static_cast<bool>(failure.exception()));
    CHECK_THROWS_AS(failure.raise(), app::LoginRefused);
    CHECK(caught(app::LoginRefused("no")).check<app::LoginRefused>());
}

TEST_CASE("a user's error class without a kind is found in the exception") {
    const Failure failure = caught(app::Kicked());
    CHECK(failure.check<app::Kicked>());
    CHECK(failure.check<ConnectionLost>());
    CHECK(failure.name() == "app::Kicked");
    CHECK_THROWS_AS(failure.raise(), app::Kicked);
    CHECK_FALSE(Failure::of<ConnectionLost>().check<app::Kicked>());
}

TEST_CASE("withCause names the failure behind a failure, in a copy") {
    const Failure low = Failure::of<ConnectionRefusedError>(ECONNREFUSED);
    const Failure high = Failure::of<ConnectError>("no attempt succeeded");
    const Failure both = high.withCause(low);
    CHECK(both.cause().check<ConnectionRefusedError>());
    CHECK_FALSE(static_cast<bool>(high.cause()));
    CHECK(both.toString() == "ConnectError: no attempt succeeded; caused by ConnectionRefusedError: connection refused "
                             "(ECONNREFUSED)");
    CHECK(Failure::of<ConnectionDone>().withCause(low).check<ConnectionDone>());
}

TEST_CASE("a Failure without a message of its own allocates nothing") {
    const test::AllocationCount count;
    const Failure done = Failure::of<ConnectionDone>();
    const Failure lost = Failure::of<ConnectionLost>(ECONNRESET);
    const Failure copy = lost;
    CHECK(copy.check<ConnectionLost>());
    CHECK(count.get() == 0);
}

TEST_CASE("S-103: a failed connect becomes the error of its errno value") {
    CHECK(getConnectError(ENETUNREACH).check<NoRouteError>());
    CHECK(getConnectError(EHOSTUNREACH).check<NoRouteError>());
    CHECK(getConnectError(ECONNREFUSED).check<ConnectionRefusedError>());
    CHECK(getConnectError(ETIMEDOUT).check<TCPTimedOutError>());
    CHECK(getConnectError(EACCES).check<PermissionDeniedError>());
    CHECK(getConnectError(EPERM).check<PermissionDeniedError>());
    CHECK(getConnectError(EINVAL).name() == "ConnectError");
    CHECK(getConnectError(ECONNREFUSED).code() == ECONNREFUSED);
    CHECK(getConnectError(ECONNREFUSED, "connecting to 127.0.0.1:1").toString() ==
          "ConnectionRefusedError: connecting to 127.0.0.1:1: connection refused (ECONNREFUSED)");
}

TEST_CASE("CannotListenError names what was asked for") {
    CHECK(std::string(CannotListenError("127.0.0.1", 80, EACCES).what()) ==
          "Couldn't listen on 127.0.0.1:80: permission denied (EACCES)");
    CHECK(std::string(CannotListenError("", 80, EADDRINUSE).what()) ==
          "Couldn't listen on any:80: address already in use (EADDRINUSE)");
    CHECK(std::string(CannotListenError("/run/x", -1, ENOENT).what()) ==
          "Couldn't listen on /run/x: no such file or directory (ENOENT)");
    CHECK(std::string(CannotListenError("::1", 80, 0).what()) == "Couldn't listen on [::1]:80");
}

TEST_CASE("describeErrno gives words and the symbol") {
    CHECK(describeErrno(ECONNREFUSED) == "connection refused (ECONNREFUSED)");
    CHECK(describeErrno(99999) == "unknown error (errno 99999)");
}
