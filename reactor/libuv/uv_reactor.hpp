#pragma once

#include <reactor/core/reactor_core.hpp>
#include <reactor/function.hpp>

#include <memory>
#include <optional>
#include <type_traits>

struct uv_loop_s; // libuv's uv_loop_t

namespace torsion {

class Embedding;
struct EmbedOptions;

namespace uv {
class EmbeddedLoop;
struct LoopContext;
} // namespace uv

/// When events reach user code.
enum class Dispatch {
    Direct,  ///< from inside the poll, as they come: the quickest
    TwoPhase ///< collected in the poll, delivered after it: for embedding
};

/// How a UvReactor is made.
struct ReactorOptions {
    Dispatch dispatch = Dispatch::Direct;

    /// While `run()` runs, SIGTERM stops the reactor (S-126), and so do SIGINT and SIGHUP unless the program handles
    /// or ignores them; SIGPIPE is ignored unless the program handles it. The previous handling is restored when
    /// `run()` returns; of several reactors of the process, when the last one's does. A signal stops all of them that
    /// run. Never on a foreign loop.
    bool handleSignals = true;

    /// On a foreign loop: `run()` and `iterate()` are allowed, and run the caller's loop.
    bool runForeignLoop = false;
};
static_assert(std::is_trivially_destructible_v<ReactorOptions>);

/// The reactor of the real system, on libuv: on a loop of its own, or on one that somebody else runs.
///
/// Used on one thread, but for `callFromThread()` and `remote()`. May be destroyed in any state except inside one of
/// its own callbacks: every open connection hears `connectionLost` then, in the order of creation; nothing waits for a
/// name look-up or a call on another thread.
class UvReactor final : public core::ReactorCore {
public:
    /// On a loop of its own. @throws std::system_error when there are no descriptors for one.
    explicit UvReactor(const ReactorOptions& options = {});

    /// On the caller's loop, which must outlive the reactor. What is pending (connections, ports, calls, attempts to
    /// connect with their look-ups) keeps that loop alive, as handles of its own would, but for calls from other
    /// threads, which wake a loop that waits and keep none from ending. The reactor's end closes what is ours and
    /// nothing else, and the loop's owner runs it until that is done.
    explicit UvReactor(uv_loop_s* loop, const ReactorOptions& options = {});
    ~UvReactor() override;

    /// Lets the loop of a host drive this reactor, which has a loop of its own, from now on: see
    /// <reactor/embedding/embedding.hpp>, which has to be included.
    /// @throws std::logic_error on a foreign loop, the second time, and while the reactor runs; std::system_error
    Embedding embed();
    Embedding embed(const EmbedOptions& options);

    /// Begins, for a loop that somebody else runs (a foreign one, or an embedding host's): the startup triggers run,
    /// and `stop()` is allowed. That ends it as the loop's owner goes on running the loop; then `onStopped` is told,
    /// and `start()` is legal again. The reactor serves what is opened before, too, and after; timers are not kept
    /// back.
    /// @throws std::logic_error on a loop of the reactor's own that is not embedded: `run()` is for that;
    ///     ReactorAlreadyRunning; what keeps a reactor from starting
    void start();

    /// Has `f` called whenever a `stop()` or `crash()` has ended what `start()` began: connections and ports are closed
    /// (after `crash()` they are not), and nothing of ours is on the stack; `f` may call `start()`, or destroy the
    /// reactor. Replaces the last one; null for none.
    void onStopped(Function<void()> f);

    void stop(StopOptions options = {}) override;

    /// The signal that stopped the last `run()`, for a program that wants to end by it; none otherwise (G34).
    std::optional<int> stoppedBySignal() const noexcept;

    /// The loop, for libuv handles of one's own (of an embedded reactor: see Embedding::touch()). Close them before the
    /// reactor is destroyed: it waits for close callbacks (callbacks of other handles may run meanwhile), and for
    /// nothing else. With a handle that nobody closes, or a request under way, a loop of the reactor's own is not
    /// freed: an error is logged, which names the handles, and the loop stays valid for ever; whoever has a pointer to
    /// it may still run it.
    uv_loop_s* loop() const noexcept;

    /// What the library's own objects on this loop share.
    uv::LoopContext& context() noexcept;

    Random& secureRandom() override;

    // Clock
    TimePoint now() const override;
    std::chrono::system_clock::time_point wall() const override;

    // For the core
    std::unique_ptr<core::Acceptor> openAcceptor(const core::ListenSpec& spec, core::AcceptEvents& events) override;
    std::unique_ptr<core::Connecting> beginConnecting(const Address& address, const core::ConnectSpec& spec,
                                                      core::ConnectEvents& events) override;

private:
    friend class uv::EmbeddedLoop;
    struct Impl;
    struct Turning;

    void checkRunnable() const override;
    bool isInsideCallback() const noexcept override;
    void runTurns() override;
    void runOneTurn(Duration wait) override;
    void interrupt() noexcept override;
    void onStarted() override;
    void onRunEnded() noexcept override;
    bool isNested() const noexcept override;
    void onPending(bool any) override;
    TimePoint readClock() const noexcept override;
    TimePoint roughNow() const noexcept override;
    void touched() noexcept override;
    bool goesOnAfterCall() noexcept override;
    void keepAlive(bool more) noexcept override;
    void prepare();
    void preparePoll();
    void prepareFirst();
    void boundPoll();
    void check();
    void becomeEmbedded(std::shared_ptr<uv::EmbeddedLoop> loop);
    void renewWakeUp();
    bool isRunByOthers() const noexcept;
    void tellStopped() noexcept;

    std::unique_ptr<Impl> impl_;
};

} // namespace torsion
