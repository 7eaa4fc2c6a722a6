#pragma once

#include <reactor/embedding/embedding.hpp>
#include <reactor/function.hpp>
#include <reactor/libuv/uv_reactor.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

// One suite for every host's loop, as tests/conformance/driver.hpp has one for every backend. A host's file (one for
// each, `glib_host.cpp`) has a class that derives from Host, and registers it:
//
//     const RegisterHost registered{{"GLib", &make<GLibHost>}};
//
// A test program tests the hosts whose files are in it.

namespace torsion::test {

/// A host's event loop, which may have a reactor inside. Made anew for each case.
class Host {
public:
    using Milliseconds = std::chrono::milliseconds;

    Host() = default;
    Host(const Host&) = delete;
    Host& operator=(const Host&) = delete;

    /// Ends the loop, and the adapter before it.
    virtual ~Host() = default;

    /// A reactor for this host, which is to be embedded in it.
    virtual std::unique_ptr<UvReactor> makeReactor();

    /// False: the reactor lives on the host's loop, and there is no adapter.
    virtual bool embeds() const noexcept { return true; }

    /// Makes the adapter that puts a reactor into the loop. @throws what the adapter does.
    virtual void attach(Embedding embedding) = 0;

    /// Destroys the adapter, in a callback as well.
    virtual void detach() = 0;

    /// Dispatches through the adapter, from the program's code.
    virtual Dispatched dispatch() = 0;

    /// Runs the loop, as a program of this host's does, until `condition()` holds, which is asked whenever the loop has
    /// done something. In a callback, where the host can do that: see `nests`.
    /// @returns false when `limit` has passed.
    virtual bool runUntil(CallableRef<bool()> condition, Milliseconds limit) = 0;

    /// Has the host's own timer call `f`, once, from its loop.
    virtual void after(Milliseconds delay, std::function<void()> f) = 0;

    /// Has the host itself call `f` from its loop whenever `descriptor` is readable, for as long as the host lives. The
    /// descriptor stays open for as long as the loop runs. A second time: replaces `f`.
    virtual void watch(int descriptor, std::function<void()> f) = 0;

    /// Whether its loop may run inside of a callback.
    virtual bool nests() const noexcept { return true; }

    /// Whether the loop goes on in a child process.
    virtual bool forks() const noexcept { return false; }

    /// In a child process, before anything else: goes on there.
    virtual void beginInChild(Embedding& embedding) { embedding.afterFork(); }

    /// Whether its loop dispatches whenever it has waited, whatever for.
    virtual bool dispatchesEachTurn() const noexcept { return false; }

    /// How often a second its loop wakes that has nothing to do: not at all, unless it is a game's.
    virtual int idleWakeUps() const noexcept { return 0; }
};

/// A kind of host.
struct HostKind {
    std::string_view name;
    std::unique_ptr<Host> (*make)();

    /// How a reactor is to be embedded in it.
    EmbedOptions options;
};

/// Those in this program; with TORSION_HOST in the environment those of them whose names contain it.
const std::vector<HostKind>& hostKinds();

struct RegisterHost {
    explicit RegisterHost(const HostKind& kind);
};

template <class H>
std::unique_ptr<Host> makeHost() {
    return std::make_unique<H>();
}

} // namespace torsion::test
