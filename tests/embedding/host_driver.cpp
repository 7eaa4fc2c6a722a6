// The conformance suite inside of every host that is in this program.

#include "conformance/driver.hpp"
#include "embedding/host.hpp"

#include <reactor/libuv/uv_reactor.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace torsion::test {

namespace {

using namespace std::chrono_literals;

class HostDriver final : public Driver {
public:
    explicit HostDriver(const HostKind& kind) : kind_(kind) {
        if (!host_->embeds())
            return;
        embedding_ = reactor_->embed(kind.options);
        host_->attach(*embedding_);
    }

    ~HostDriver() override {
        if (host_->embeds())
            host_->detach();
        reactor_.reset();
    }

    Reactor& reactor() override { return *reactor_; }
    bool reaches(CallableRef<bool()> condition) override { return host_->runUntil(condition, 10s); }
    void turn() override {
        if (host_->embeds())
            host_->dispatch();
        else
            reactor_->iterate();
    }

    // A turn of some hosts' loops may dispatch more than once; the run ends with the one that has stopped.
    void run() override {
        bool stopped = false;
        reactor_->onStopped([&] {
            stopped = true;
            if (embedding_)
                host_->detach();
        });
        reactor_->start();
        while (!host_->runUntil([&] { return stopped; }, 60s)) {
        }
        if (embedding_)
            host_->attach(*embedding_);
    }

    void destroyReactor() override { reactor_.reset(); }
    const char* loopback() const noexcept override { return "127.0.0.1"; }
    bool isReal() const noexcept override { return true; }
    std::string name() const override { return "UvReactor, IPv4, inside " + std::string(kind_.name); }

private:
    const HostKind& kind_;
    std::unique_ptr<Host> host_ = kind_.make();
    std::unique_ptr<UvReactor> reactor_ = host_->makeReactor();
    std::optional<Embedding> embedding_; // none where the reactor lives on the host's loop
};

} // namespace

std::vector<Backend> backends() {
    std::vector<Backend> all;
    for (const HostKind& kind : hostKinds())
        all.push_back({std::string(kind.name), true, false, [&kind] { return std::make_unique<HostDriver>(kind); }});
    return all;
}

} // namespace torsion::test
