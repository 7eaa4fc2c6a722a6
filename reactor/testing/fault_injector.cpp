#include <reactor/testing/fault_injector.hpp>

#include <stdexcept>
#include <utility>

namespace torsion::testing {

int FaultInjector::Slot::step() noexcept {
    ++count;
    return error != 0 && count == failAt ? std::exchange(error, 0) : 0;
}

void FaultInjector::failNth(Operation operation, std::uint64_t n, int error) {
    if (n == 0)
        throw std::invalid_argument("failNth: operations are counted from 1");
    if (error <= 0)
        throw std::invalid_argument("failNth: the error is not an errno value");
    Slot& target = slot(operation);
    target.failAt = target.count + n;
    target.error = error;
}

void FaultInjector::clear() noexcept {
    for (Slot& each : slots_)
        each.error = 0;
}

int FaultInjector::next(Operation operation) noexcept {
    const int any = slot(Operation::Any).step();
    const int own = slot(operation).step();
    return own != 0 ? own : any;
}

} // namespace torsion::testing
