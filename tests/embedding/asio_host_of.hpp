#pragma once

#include "embedding/host.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <utility>

namespace torsion::test {

/// A program around an io_context. `Asio` has the names of one of the two namespaces.
template <class Asio>
class AsioHostOf final : public Host {
public:
    ~AsioHostOf() override {
        inside_.reset();
        for (const auto& [descriptor, watch] : watches_)
            watch->descriptor.release();
    }

    void attach(Embedding embedding) override { inside_.emplace(std::move(embedding), io_); }
    void detach() override { inside_.reset(); }
    Dispatched dispatch() override { return inside_->dispatch(); }
    bool forks() const noexcept override { return true; }
    void beginInChild(Embedding&) override {
        io_.notify_fork(Asio::Io::fork_child);
        inside_->afterFork();
    }

    bool runUntil(CallableRef<bool()> condition, Milliseconds limit) override {
        const auto end = std::chrono::steady_clock::now() + limit;
        const Nesting nesting(depth_);
        if (depth_ > 1 && inside_)
            inside_->refresh();
        while (!condition()) {
            if (std::chrono::steady_clock::now() > end)
                return false;
            io_.run_one_until(end);
        }
        return true;
    }

    void after(Milliseconds delay, std::function<void()> f) override {
        auto timer = std::make_shared<typename Asio::Timer>(io_, delay);
        timer->async_wait([timer, f = std::move(f)](const typename Asio::Error&) { f(); });
    }

    void watch(int descriptor, std::function<void()> f) override {
        auto& watch = watches_[descriptor];
        if (watch)
            watch->descriptor.release();
        watch = std::make_shared<Watch>(io_, descriptor, std::move(f));
        wait(watch);
    }

private:
    struct Nesting {
        explicit Nesting(int& itsDepth) : depth(itsDepth) { ++depth; }
        Nesting(const Nesting&) = delete;
        Nesting& operator=(const Nesting&) = delete;
        ~Nesting() { --depth; }
        int& depth;
    };

    struct Watch {
        Watch(typename Asio::Io& io, int fd, std::function<void()> function)
            : descriptor(io, fd), f(std::move(function)) {}

        typename Asio::Descriptor descriptor;
        std::function<void()> f;
    };

    static void wait(const std::shared_ptr<Watch>& watch) {
        watch->descriptor.async_wait(Asio::Descriptor::wait_read, [watch](const typename Asio::Error& error) {
            if (error)
                return;
            watch->f();
            if (watch->descriptor.is_open())
                wait(watch);
        });
    }

    typename Asio::Io io_;
    typename Asio::Work work_{io_.get_executor()};
    std::map<int, std::shared_ptr<Watch>> watches_;
    std::optional<typename Asio::Adapter> inside_;
    int depth_ = 0; // of runUntil
};

} // namespace torsion::test
