#include <reactor/react.hpp>

#include <reactor/errors.hpp>
#include <reactor/log.hpp>

#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>

namespace torsion {

const ErrorKind SystemExit::kKind = ErrorKind::of<SystemExit>("SystemExit", "The program ends.", Error::kKind);

SystemExit::SystemExit(int status) : ErrorClass("exit status " + std::to_string(status), status) {}

namespace detail {

namespace {

/// One run of a main function. Lives until that has ended, which may be as the reactor is destroyed.
class MainRun : public std::enable_shared_from_this<MainRun> {
public:
    MainRun(Reactor& reactor, Function<Deferred<int>()> main, const ReactOptions& options) noexcept
        : reactor_(reactor), main_(std::move(main)), options_(options) {}

    int run();

private:
    enum class State { Waiting, Running, GivenUp, Ended };

    void begin();
    void end(const Result<int>& result);
    Deferred<void> shutDown();
    int statusOf(const Failure& failure) const;

    Reactor& reactor_;
    Function<Deferred<int>()> main_;
    ReactOptions options_;
    State state_ = State::Waiting;
    Canceller canceller_;
    std::optional<Promise<void>> cleanedUp_; // the shutdown waits for it
    bool stopping_ = false;
    bool returned_ = false; // run() has
    int status_ = 0;
};

int MainRun::run() {
    const std::shared_ptr<MainRun> self = shared_from_this();
    const TriggerId trigger =
        reactor_.addSystemEventTrigger(EventPhase::Before, SystemEvent::Shutdown, [self] { return self->shutDown(); });
    reactor_.callWhenRunning([self] { self->begin(); });
    struct Epilogue {
        MainRun& run;
        TriggerId trigger;
        ~Epilogue() {
            run.returned_ = true;
            if (!run.stopping_) // it was crashed
                run.reactor_.removeSystemEventTrigger(trigger);
        }
    } const epilogue{*this, trigger};
    reactor_.run();
    return status_;
}

void MainRun::begin() {
    if (returned_) // the startup was abandoned, and this is another
        return;
    state_ = State::Running;
    Deferred<int> result = main_();
    canceller_ = result.canceller();
    std::move(result).addBoth([self = shared_from_this()](Result<int> ended) { self->end(ended); }).detach();
}

void MainRun::end(const Result<int>& result) {
    // One that was given up counts no more, even if the shutdown's connectionLost ends it; what it fails with is told.
    const bool late = std::exchange(state_, State::Ended) == State::GivenUp;
    const int status = result ? *result : statusOf(result.failure());
    if (late)
        return;
    status_ = status;
    if (cleanedUp_) {
        Promise<void> cleanedUp = std::move(*cleanedUp_);
        cleanedUp_.reset();
        cleanedUp.callback();
    } else if (!stopping_ && !returned_) {
        try {
            reactor_.stop();
        } catch (const ReactorNotRunning&) { // main has done that, or a signal in the same turn
        }
    }
}

int MainRun::statusOf(const Failure& failure) const {
    if (failure.check<SystemExit>())
        return failure.code();
    if (stopping_ && failure.check<CancelledError>())
        return 0;
    log::error("The main function has failed: {}", failure.toString());
    return 1;
}

Deferred<void> MainRun::shutDown() {
    stopping_ = true;
    if (state_ != State::Running)
        return succeed();
    const Canceller canceller = canceller_;
    canceller.cancel();
    if (state_ == State::Ended)
        return succeed();
    cleanedUp_.emplace();
    return cleanedUp_->deferred()
        .addTimeout(options_.patience, reactor_)
        .addErrback([self = shared_from_this()](const Failure&) {
            self->state_ = State::GivenUp;
            self->status_ = 1;
            log::error("The main function was cancelled, and has not ended in time");
        });
}

} // namespace

int runMain(Reactor& reactor, Function<Deferred<int>()> main, const ReactOptions& options) {
    if (options.patience < Duration::zero())
        throw std::invalid_argument("react: the patience is negative");
    return std::make_shared<MainRun>(reactor, std::move(main), options)->run();
}

} // namespace detail

} // namespace torsion
