#include <reactor/embedding/glib.hpp>

#include "embedding/host.hpp"

#include <glib-unix.h>

#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace torsion::test {

namespace {

using Call = std::function<void()>;

gboolean callOnce(gpointer call) {
    (*static_cast<Call*>(call))();
    return G_SOURCE_REMOVE;
}

gboolean callAlways(gint, GIOCondition condition, gpointer call) {
    if (condition != G_IO_IN)
        return G_SOURCE_REMOVE; // closed
    (*static_cast<Call*>(call))();
    return G_SOURCE_CONTINUE;
}

void destroyCall(gpointer call) {
    delete static_cast<Call*>(call);
}

/// A main context of its own, which this thread runs.
class GLibHost final : public Host {
public:
    GLibHost() { g_main_context_push_thread_default(context_); }

    ~GLibHost() override {
        inside_.reset();
        for (GSource* source : sources_) {
            g_source_destroy(source);
            g_source_unref(source);
        }
        g_main_context_pop_thread_default(context_);
        g_main_context_unref(context_);
    }

    void attach(Embedding embedding) override { inside_.emplace(std::move(embedding), context_); }
    void detach() override { inside_.reset(); }
    Dispatched dispatch() override { return inside_->dispatch(); }
    bool forks() const noexcept override { return true; }

    bool runUntil(CallableRef<bool()> condition, Milliseconds limit) override {
        bool over = false;
        GSource* timer = add(g_timeout_source_new(static_cast<guint>(limit.count())), [&over] { over = true; });
        bool holds = condition();
        while (!holds && !over) {
            g_main_context_iteration(context_, TRUE);
            holds = condition();
        }
        g_source_destroy(timer);
        return holds;
    }

    void after(Milliseconds delay, std::function<void()> f) override {
        add(g_timeout_source_new(static_cast<guint>(delay.count())), std::move(f));
    }

    void watch(int descriptor, std::function<void()> f) override {
        if (GSource* last = std::exchange(watches_[descriptor], g_unix_fd_source_new(descriptor, G_IO_IN)))
            g_source_destroy(last);
        GSource* source = watches_[descriptor];
        g_source_set_callback(source, G_SOURCE_FUNC(&callAlways), new Call(std::move(f)), &destroyCall);
        attachSource(source);
    }

private:
    GSource* add(GSource* source, Call f) {
        g_source_set_callback(source, &callOnce, new Call(std::move(f)), &destroyCall);
        attachSource(source);
        return source;
    }

    void attachSource(GSource* source) {
        g_source_attach(source, context_);
        sources_.push_back(source);
    }

    GMainContext* context_ = g_main_context_new();
    std::vector<GSource*> sources_;   // has a reference to each
    std::map<int, GSource*> watches_; // some of them
    std::optional<GLibAdapter> inside_;
};

const RegisterHost registered{{"GLib", &makeHost<GLibHost>, {}}};
const RegisterHost single{{"GLib, single descriptor", &makeHost<GLibHost>, {.singleDescriptor = true}}};

} // namespace

} // namespace torsion::test
