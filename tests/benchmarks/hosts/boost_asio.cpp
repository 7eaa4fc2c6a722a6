#include "loop.hpp"

#include <reactor/embedding/boost_asio.hpp>

#include <utility>

namespace torsion::benchmarks {

namespace {

void run(Embedding embedding, Work& work) {
    boost::asio::io_context loop(1);
    work.quit = [&] { loop.stop(); };
    const BoostAsioAdapter adapter(std::move(embedding), loop);
    loop.run();
}

const RegisterLoop registered{{"Boost.Asio", 1.4, {}, &run}};

} // namespace

} // namespace torsion::benchmarks
