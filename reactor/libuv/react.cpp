#include <reactor/libuv/react.hpp>

#include <reactor/failure.hpp>
#include <reactor/log.hpp>

namespace torsion::detail {

int runProgram(Function<int(UvReactor&)> program) {
    try {
        UvReactor reactor;
        return program(reactor);
    } catch (...) {
        log::error("The program cannot run: {}", Failure::current().toString());
        return 1;
    }
}

} // namespace torsion::detail
