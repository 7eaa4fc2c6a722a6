#pragma once

#include <reactor/embedding/adapter.hpp>
#include <reactor/embedding/detail/turns.hpp>

#include <glib.h>

#include <chrono>
#include <optional>
#include <utility>

namespace torsion {

/// A reactor inside of a GLib main loop, and so of GTK's.
///
/// @code
/// torsion::UvReactor reactor;
/// torsion::GLibAdapter inside(reactor.embed());
/// reactor.listenTCP(7, echo);
/// reactor.onStopped([&] { g_main_loop_quit(loop); });
/// reactor.start();
/// g_main_loop_run(loop);
/// @endcode
///
/// - A source that is asked before each wait, so a main loop that runs inside of a callback (gtk_dialog_run) needs no
///   `refresh()`. May be destroyed at any time; has a reference to its context.
/// - A reactor that is always busy leaves out an iteration each 5 ms, in which sources of a lower priority have their
///   turn (GTK's drawing, idle functions). An iteration begins with those of the highest priority that are ready.
/// - Out of memory inside of it (not in a callback of the program's, whose exceptions are logged), the program ends, as
///   it does in GLib.
/// - Goes on in a child process after fork(), which calls `afterFork()`, as far as the context does: what other threads
///   wake it with is the parent's, too.
class GLibAdapter final : public Adapter {
public:
    /// @param context which is run in the reactor's thread; null: the default one.
    /// @param priority as of g_source_set_priority(): GTK draws at G_PRIORITY_HIGH_IDLE + 20, after the default one.
    /// @throws std::logic_error when the reactor has a host already
    explicit GLibAdapter(Embedding embedding, GMainContext* context = nullptr, int priority = G_PRIORITY_DEFAULT);
    ~GLibAdapter() override;

private:
    struct Source {
        GSource base;
        GLibAdapter* adapter;
    };

    void watch(int descriptor) override;
    void unwatch() noexcept override;
    void wake(Wait) noexcept override {} // asked each time
    void changed() noexcept override;

    void letGo() noexcept;

    static GSourceFuncs& functions();
    static gboolean prepare(GSource* source, gint* timeout) noexcept;
    static gboolean check(GSource* source) noexcept;
    static gboolean ready(GSource* source, GSourceFunc, gpointer) noexcept;
    static detail::Turns::Time now(GSource* source) noexcept { return detail::Turns::Time(g_source_get_time(source)); }
    static GLibAdapter& of(GSource* source) { return *reinterpret_cast<Source*>(source)->adapter; }

    GMainContext* context_;
    GSource* source_;
    GPollFD input_{-1, G_IO_IN, 0};
    bool prepared_ = false; // asked for the time, and not yet back from the poll
    detail::Turns turns_;
};

inline GLibAdapter::GLibAdapter(Embedding embedding, GMainContext* context, int priority)
    : Adapter(std::move(embedding)), context_(g_main_context_ref(context ? context : g_main_context_default())),
      source_(g_source_new(&functions(), sizeof(Source))) {
    reinterpret_cast<Source*>(source_)->adapter = this;
    g_source_set_name(source_, "torsion");
    g_source_set_priority(source_, priority);
    // A dispatch may run inside of another. A source that cannot recurse costs three system calls more besides, each
    // time: GLib takes its descriptor out of the poll and puts it back.
    g_source_set_can_recurse(source_, TRUE);
    g_source_attach(source_, context_);
    try {
        attach();
    } catch (...) {
        letGo();
        throw;
    }
}

inline GLibAdapter::~GLibAdapter() {
    detach();
    letGo();
}

inline void GLibAdapter::letGo() noexcept {
    g_source_destroy(source_);
    g_source_unref(source_);
    g_main_context_unref(context_);
}

// Not g_source_add_unix_fd(): that has the source ready whatever it says itself.
inline void GLibAdapter::watch(int descriptor) {
    input_.fd = descriptor;
    input_.revents = 0;
    g_source_add_poll(source_, &input_);
}

inline void GLibAdapter::unwatch() noexcept {
    g_source_remove_poll(source_, &input_);
    input_.revents = 0;
}

// It will ask anew, unless it has this time round: something has changed in another source's prepare, or the context
// is polled by somebody else's loop.
inline void GLibAdapter::changed() noexcept {
    if (prepared_)
        g_main_context_wakeup(context_);
}

// GLib asks no source of a lower priority while one of a higher priority is ready, and polls without waiting while one
// of a lower priority is. Its time stands still then, so such a poll is not mistaken for a wait.
inline gboolean GLibAdapter::prepare(GSource* source, gint* timeout) noexcept {
    GLibAdapter& adapter = of(source);
    adapter.prepared_ = true;
    const bool yields = adapter.turns_.prepare(now(source));
    const Wait left = adapter.wait(); // sends, inside of a callback: a producer may destroy it
    *timeout = left ? static_cast<gint>(left->count()) : -1;
    return *timeout == 0 && !yields;
}

inline gboolean GLibAdapter::check(GSource* source) noexcept {
    GLibAdapter& adapter = of(source);
    adapter.prepared_ = false;
    adapter.turns_.waited(now(source));
    const bool yields = adapter.turns_.yields();
    const bool readable = adapter.input_.revents != 0;
    const Wait left = adapter.wait();
    return !yields && (readable || (left && left->count() == 0));
}

inline gboolean GLibAdapter::ready(GSource* source, GSourceFunc, gpointer) noexcept {
    GLibAdapter& adapter = of(source);
    adapter.prepared_ = false;
    adapter.input_.revents = 0;
    adapter.turns_.begin(now(source));
    adapter.dispatch(); // may destroy it
    return G_SOURCE_CONTINUE;
}

inline GSourceFuncs& GLibAdapter::functions() {
    static GSourceFuncs all{&prepare, &check, &ready, nullptr, nullptr, nullptr};
    return all;
}

} // namespace torsion
