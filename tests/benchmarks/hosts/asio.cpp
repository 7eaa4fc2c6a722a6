#include "loop.hpp"

#include <reactor/embedding/asio.hpp>

namespace torsion::benchmarks {

namespace {

void run(Work& work) {
    asio::io_context loop(1);
    work.quit = [&] { loop.stop(); };
    const AsioAdapter adapter(work.embed(), loop);
    loop.run();
}

const RegisterLoop registered{{"Asio", 1.4, &run}};

} // namespace

} // namespace torsion::benchmarks
