#include <reactor/deferred_list.hpp>

#include <spdlog/fmt/fmt.h>

#include <exception>

namespace torsion {

constinit const ErrorKind FirstError::kKind =
    ErrorKind::of<FirstError>("FirstError", "One of several Deferreds failed.", Error::kKind);
constinit const ErrorKind FailureGroup::kKind =
    ErrorKind::of<FailureGroup>("FailureGroup", "All of several Deferreds failed.", Error::kKind);

FirstError::FirstError(Failure subFailure, std::size_t index)
    : ErrorClass(fmt::format("Deferred number {} failed.", index)), subFailure_(std::move(subFailure)), index_(index) {}

FailureGroup::FailureGroup(std::vector<Failure> failures)
    : ErrorClass(fmt::format("All of {} Deferreds failed.", failures.size())), failures_(std::move(failures)) {}

namespace detail {

Failure firstError(Failure subFailure, std::size_t index) {
    return Failure::fromException(std::make_exception_ptr(FirstError(subFailure, index))).withCause(subFailure);
}

Failure failureGroup(std::vector<Failure> failures) {
    const Failure first = failures.empty() ? Failure() : failures.front();
    Failure group = Failure::fromException(std::make_exception_ptr(FailureGroup(std::move(failures))));
    return first ? group.withCause(first) : group;
}

} // namespace detail

} // namespace torsion
