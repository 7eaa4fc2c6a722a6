#include "loop.hpp"

#include <uv.h>

namespace torsion::benchmarks {

namespace {

void run(Work& work) {
    uv_loop_t loop;
    uv_loop_init(&loop);
    work.quit = [&] { uv_stop(&loop); };
    work.beginOn(&loop);
    uv_run(&loop, UV_RUN_DEFAULT);
    work.end();
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
}

const RegisterLoop registered{{"libuv, on its loop", 1.2, &run}};

} // namespace

} // namespace torsion::benchmarks
