#pragma once

#include <reactor/embedding/adapter.hpp>
#include <reactor/embedding/detail/deadline.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <set>
#include <utility>

namespace torsion::detail {

/// What standalone Asio and Boost.Asio have in common: all but the names of the types, which `Asio` has.
///
/// A wait is for one event, and is begun again after each dispatch, which costs an epoll_ctl and looks at the level
/// again, though Asio watches for edges (H4). Handlers may outlive the adapter: they know it through `self()`.
template <class Asio>
class BasicAsioAdapter : public Adapter {
public:
    using Executor = typename Asio::Executor;

    ~BasicAsioAdapter() override {
        detach();
        if (guests_)
            guests_->all.erase(this);
    }

protected:
    BasicAsioAdapter(Embedding embedding, const Executor& executor) : Adapter(std::move(embedding)) {
        this->embedding().timeout(); // on another thread that is asserted, before Asio is asked
        in_.emplace(executor);
        guests_ = &use_service<Guests>(Asio::contextOf(executor));
        guests_->all.insert(this);
        try {
            attach();
        } catch (...) {
            guests_->all.erase(this);
            throw;
        }
    }

private:
    using Context = typename Asio::Context;
    using ErrorCode = typename Asio::ErrorCode;

    /// The adapters in a context: what the context tells when it is destroyed before them.
    struct Guests final : Context::service {
        explicit Guests(Context& context) : Context::service(context) {}

        void shutdown() override {
            for (BasicAsioAdapter* adapter : std::exchange(all, {}))
                adapter->hostGone();
        }

        static inline typename Context::id id;
        std::set<BasicAsioAdapter*> all;
    };

    /// What is a guest of the context's. Gone when that is.
    struct Inside {
        explicit Inside(const Executor& executor) : descriptor(executor), timer(executor) {}

        typename Asio::Descriptor descriptor;
        typename Asio::Timer timer;
    };

    void watch(int descriptor) override {
        if (!in_)
            return;
        in_->descriptor.assign(descriptor);
        try {
            awaitInput();
        } catch (...) {
            unwatch();
            throw;
        }
    }

    /// Released, because Asio closes what it has.
    void unwatch() noexcept override {
        if (!in_)
            return;
        awaited_ = 0;
        in_->descriptor.release();
    }

    void wake(Wait wait) noexcept override {
        if (!in_)
            return;
        attempt("connections", [this] { awaitInput(); });
        if (awaited_ == 0 && in_->descriptor.is_open())
            wait = std::min(wait.value_or(kRetry), kRetry);
        if (deadline_.change(wait))
            attempt("timed calls", [this] { awaitTime(deadline_.time()); });
        if (timed_ == 0)
            deadline_.fired(); // the next one that is asked for is new
    }

    static constexpr std::chrono::milliseconds kRetry{100};

    template <class F>
    static void attempt(const char* what, F&& f) noexcept {
        try {
            f();
        } catch (const std::exception& error) {
            log::error("embedding: Asio does not wait for the reactor, and {} are late: {}", what, error.what());
        }
    }

    void awaitInput() {
        if (awaited_ != 0 || !in_->descriptor.is_open())
            return;
        const std::uint64_t number = ++last_;
        in_->descriptor.async_wait(Asio::kReadable, [self = self(), number](const ErrorCode& error) {
            if (BasicAsioAdapter* adapter = of(self); adapter && adapter->awaited_ == number)
                adapter->inputCame(error);
        });
        awaited_ = number;
    }

    void awaitTime(std::optional<Deadline::Clock::time_point> time) {
        timed_ = 0;
        if (!time) {
            in_->timer.cancel();
            return;
        }
        in_->timer.expires_at(*time);
        const std::uint64_t number = ++last_;
        in_->timer.async_wait([self = self(), number](const ErrorCode&) {
            if (BasicAsioAdapter* adapter = of(self); adapter && adapter->timed_ == number)
                adapter->timeCame();
        });
        timed_ = number;
    }

    static BasicAsioAdapter* of(const std::shared_ptr<Adapter* const>& self) noexcept {
        return static_cast<BasicAsioAdapter*>(*self);
    }

    // Not awaited again after an error, which would come again.
    void inputCame(const ErrorCode& error) {
        if (error) {
            log::error("embedding: Asio does not wait for the reactor, and connections stand still: {}",
                       error.message());
            return;
        }
        awaited_ = 0;
        dispatch();
    }

    void timeCame() {
        timed_ = 0;
        deadline_.fired();
        dispatch();
    }

    void hostGone() noexcept {
        detach();
        in_.reset();
        guests_ = nullptr;
    }

    Guests* guests_ = nullptr;
    std::optional<Inside> in_;
    Deadline deadline_;
    std::uint64_t last_ = 0; // of the waits' numbers
    std::uint64_t awaited_ = 0;
    std::uint64_t timed_ = 0;
};

} // namespace torsion::detail
