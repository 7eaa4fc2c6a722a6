#include "loop.hpp"

#include <reactor/embedding/glib.hpp>

#include <memory>
#include <utility>

namespace torsion::benchmarks {

namespace {

void run(Embedding embedding, Work& work) {
    const std::unique_ptr<GMainLoop, decltype(&g_main_loop_unref)> loop(g_main_loop_new(nullptr, FALSE),
                                                                        &g_main_loop_unref);
    work.quit = [&] { g_main_loop_quit(loop.get()); };
    const GLibAdapter adapter(std::move(embedding));
    g_main_loop_run(loop.get());
}

const RegisterLoop registered{{"GLib", 1.4, {}, &run}};

} // namespace

} // namespace torsion::benchmarks
