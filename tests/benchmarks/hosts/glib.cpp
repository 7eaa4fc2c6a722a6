#include "loop.hpp"

#include <reactor/embedding/glib.hpp>

#include <memory>

namespace torsion::benchmarks {

namespace {

void run(Work& work) {
    const std::unique_ptr<GMainLoop, decltype(&g_main_loop_unref)> loop(g_main_loop_new(nullptr, FALSE),
                                                                        &g_main_loop_unref);
    work.quit = [&] { g_main_loop_quit(loop.get()); };
    const GLibAdapter adapter(work.embed());
    g_main_loop_run(loop.get());
}

const RegisterLoop registered{{"GLib", 1.4, &run}};

} // namespace

} // namespace torsion::benchmarks
