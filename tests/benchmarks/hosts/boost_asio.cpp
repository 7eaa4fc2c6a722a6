#include "loop.hpp"

#include <reactor/embedding/boost_asio.hpp>

namespace torsion::benchmarks {

namespace {

void run(Work& work) {
    boost::asio::io_context loop(1);
    work.quit = [&] { loop.stop(); };
    const BoostAsioAdapter adapter(work.embed(), loop);
    loop.run();
}

const RegisterLoop registered{{"Boost.Asio", 1.4, &run}};

} // namespace

} // namespace torsion::benchmarks
