// Says which TCP ports of a host are open. Many attempts at a time, never more than asked for.
//
// A port is open (a connection was made), closed (it was refused), or filtered (no answer came in time); anything else
// is an error, which says so.

#include "support/program.hpp"

#include <reactor/connector.hpp>
#include <reactor/errors.hpp>
#include <reactor/protocol.hpp>

#include <spdlog/fmt/fmt.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>

namespace {

struct Plan {
    std::string host;
    int first = 1;
    int last = 0;
    int parallel = 64;
    std::chrono::milliseconds timeout{1000};
};

struct Counts {
    int open = 0;
    int closed = 0;
    int filtered = 0;
    int errors = 0;
};

/// Ends the connection as soon as there is one.
class Probe : public torsion::Protocol {
public:
    Probe(std::uint16_t port, Counts& counts) : port_(port), counts_(counts) {}

    void connectionMade() override {
        fmt::print("open {}\n", port_);
        ++counts_.open;
        transport->abortConnection();
    }

private:
    std::uint16_t port_;
    Counts& counts_;
};

/// The factory of all attempts; each that ends makes room for the next.
class Scan : public torsion::ClientFactory, public std::enable_shared_from_this<Scan> {
public:
    Scan(torsion::Reactor& reactor, Plan plan) : reactor_(reactor), plan_(std::move(plan)), next_(plan_.first) {
        noisy = false;
    }

    void start() {
        while (pending_ < plan_.parallel && next_ <= plan_.last)
            tryNext();
    }

    const Counts& counts() const noexcept { return counts_; }

    std::shared_ptr<torsion::Protocol> buildProtocol(const torsion::Address& peer) override {
        return std::make_shared<Probe>(peer.port(), counts_);
    }

    void clientConnectionFailed(const std::shared_ptr<torsion::Connector>& connector,
                                const torsion::Failure& reason) override {
        if (reason.check<torsion::ConnectionRefusedError>()) {
            ++counts_.closed;
        } else if (reason.check<torsion::TimeoutError>() || reason.check<torsion::TCPTimedOutError>()) {
            ++counts_.filtered;
        } else if (reactor_.isRunning()) { // or somebody ended us
            fmt::print("error {}: {}\n", connector->getDestination().port, reason.getErrorMessage());
            ++counts_.errors;
        }
        attemptEnded();
    }

    void clientConnectionLost(const std::shared_ptr<torsion::Connector>&, const torsion::Failure&) override {
        attemptEnded();
    }

private:
    void tryNext() {
        ++pending_;
        reactor_.connectTCP(plan_.host, next_++, shared_from_this(), {.timeout = plan_.timeout});
    }

    void attemptEnded() {
        --pending_;
        if (!reactor_.isRunning())
            return;
        if (next_ <= plan_.last) {
            tryNext();
        } else if (pending_ == 0) {
            examples::stop(reactor_);
        }
    }

    torsion::Reactor& reactor_;
    Plan plan_;
    int next_;
    int pending_ = 0;
    Counts counts_;
};

} // namespace

int main(int argc, char** argv) {
    examples::Program program("Says which TCP ports of a host are open, from --port to --last.", examples::Role::Client,
                              1);
    Plan plan;
    int timeout = 1000;
    program.option("--last", plan.last, {0, 65535}, "the last port, not below --port; 0: --port alone");
    program.option("--parallel", plan.parallel, {1, 1024}, "attempts at a time");
    program.option("--timeout", timeout, {1, 60'000}, "milliseconds for an attempt");
    program.check([&] {
        if (plan.last != 0 && plan.last < program.port())
            throw examples::UsageError(fmt::format("--last: {} is below --port {}", plan.last, program.port()));
    });
    return program.run(argc, argv, [&](torsion::UvReactor& reactor) {
        plan.host = program.host();
        plan.first = program.port();
        if (plan.last == 0)
            plan.last = plan.first;
        plan.timeout = std::chrono::milliseconds(timeout);
        const auto scan = std::make_shared<Scan>(reactor, plan);
        scan->start();
        reactor.run();
        const Counts& counts = scan->counts();
        fmt::print("{} of {} ports are open; {} closed, {} filtered, {} errors\n", counts.open,
                   plan.last - plan.first + 1, counts.closed, counts.filtered, counts.errors);
        if (counts.errors != 0)
            program.fail(fmt::format("{} ports could not be tried", counts.errors));
    });
}
