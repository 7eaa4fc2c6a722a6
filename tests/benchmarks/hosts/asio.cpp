#include "loop.hpp"

#include <reactor/embedding/asio.hpp>

#include <utility>

namespace torsion::benchmarks {

namespace {

void run(Embedding embedding, Work& work) {
    asio::io_context loop(1);
    work.quit = [&] { loop.stop(); };
    const AsioAdapter adapter(std::move(embedding), loop);
    loop.run();
}

const RegisterLoop registered{{"Asio", 1.4, {}, &run}};

} // namespace

} // namespace torsion::benchmarks
