/// What it costs that a host's loop drives the reactor: echo round trips inside of each host, against the reactor's own
/// run(), in the same run.
///
///     build/tests/benchmarks/host_costs [--check] [--rounds N] [NAME]...
///
/// - Both ends of every connection are on the one reactor, in one thread; 64 bytes go to and fro. A receive at either
///   end is an event. With one connection each event is a wake-up of the host; with fifty, one for many.
/// - CPU: user and system time for an event. The median of the rounds; in each, all have their turn, in a process of
///   its own, and a ratio is to run() in the same round.
/// - system calls: for an event with one connection, counted by ptrace in a run apart.
///
/// A name chooses the hosts whose names begin with it. With --check the exit status is 1 when a ratio is above its
/// goal, or the one at fifty connections above 1.1. The whole takes about a minute.

#include "../figures.hpp"
#include "counted.hpp"
#include "loop.hpp"

#include <reactor/factory.hpp>
#include <reactor/libuv/uv_reactor.hpp>
#include <reactor/protocol.hpp>

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace torsion::benchmarks {

namespace {

using SteadyClock = std::chrono::steady_clock;

std::vector<HostLoop>& allLoops() {
    static std::vector<HostLoop> all;
    return all;
}

struct Load {
    int connections;
    int warmUp; // events that are not counted
    int events;
};

constexpr Load kOne{1, 4'000, 40'000};
constexpr Load kMany{50, 10'000, 100'000};

struct Cost {
    double processor = 0; // nanoseconds an event
    double wall = 0;
};

/// Counts events, and says when they are over.
class Meter {
public:
    Meter(const Load& load, std::function<void()> finish) : load_(load), finish_(std::move(finish)) {}

    /// @returns whether it goes on.
    bool event() {
        ++count_;
        if (count_ == load_.warmUp) {
            processor_ = processorTime();
            start_ = SteadyClock::now();
        }
        if (count_ < load_.warmUp + load_.events)
            return true;
        if (count_ == load_.warmUp + load_.events) {
            const std::chrono::duration<double, std::nano> wall = SteadyClock::now() - start_;
            cost_ = {(processorTime() - processor_) / load_.events, wall.count() / load_.events};
            finish_();
        }
        return false;
    }

    const Cost& cost() const noexcept { return cost_; }

private:
    Load load_;
    std::function<void()> finish_;
    int count_ = 0;
    double processor_ = 0;
    SteadyClock::time_point start_;
    Cost cost_;
};

/// Sends back what comes, at either end; the client begins.
class Bouncing : public Protocol {
public:
    Bouncing(Meter& meter, bool begins) : meter_(meter), begins_(begins) {}

    void connectionMade() override {
        if (begins_)
            transport->write(std::string(64, 'x'));
    }
    void dataReceived(std::string_view data) override {
        if (meter_.event())
            transport->write(data);
    }

private:
    Meter& meter_;
    bool begins_;
};

class BouncingFactory : public ClientFactory {
public:
    BouncingFactory(Meter& meter, bool begins) : meter_(meter), begins_(begins) { noisy = false; }
    std::shared_ptr<Protocol> buildProtocol(const Address&) override {
        return std::make_shared<Bouncing>(meter_, begins_);
    }

private:
    Meter& meter_;
    bool begins_;
};

/// The load on a reactor that something is about to run.
void begin(UvReactor& reactor, Meter& meter, const Load& load) {
    const auto port = reactor.listenTCP(0, std::make_shared<BouncingFactory>(meter, false), {.interface = "127.0.0.1"});
    const auto clients = std::make_shared<BouncingFactory>(meter, true);
    for (int i = 0; i < load.connections; ++i)
        reactor.connectTCP("127.0.0.1", port->getHost().port(), clients);
}

Cost runAlone(const Load& load) {
    UvReactor reactor;
    Meter meter(load, [&] { reactor.stop(); });
    begin(reactor, meter, load);
    reactor.run();
    return meter.cost();
}

Cost runHosted(const HostLoop& host, const Load& load) {
    std::function<void()> finish;
    Meter meter(load, [&] { finish(); });
    Work work([&](UvReactor& reactor) { begin(reactor, meter, load); });
    finish = [&] { work.quit(); };
    host.run(work);
    return meter.cost();
}

/// A row of the table: run() itself, or a host.
struct Row {
    std::string name;
    double goal;
    std::function<Cost(const Load&)> run;
    std::vector<double> processor{};
    std::vector<double> ratios{};
    std::vector<double> wallRatios{};
    std::vector<double> manyRatios{};
    double systemCalls = 0;
};

Cost measured(const Row& row, const Load& load) {
    const std::string said = inChild([&] {
        const Cost cost = row.run(load);
        return fmt::format("{} {}", cost.processor, cost.wall);
    });
    char* rest = nullptr;
    const double processor = std::strtod(said.c_str(), &rest);
    return {processor, std::strtod(rest, nullptr)};
}

/// Slope of two runs: starting and ending drop out.
double systemCallsOf(const Row& row) {
    constexpr Load kFew{1, 100, 1'000};
    constexpr Load kMore{1, 100, 3'000};
    const auto calls = [&](const Load& load) {
        return static_cast<double>(torsion::benchmarks::systemCallsOf([&] { row.run(load); }));
    };
    return (calls(kMore) - calls(kFew)) / (kMore.events - kFew.events);
}

void measureRound(std::vector<Row>& rows) {
    const auto ratio = [](double part, double whole) { return whole > 0 ? part / whole : 0; };
    Cost one;
    Cost many;
    for (Row& row : rows) {
        const Cost own = measured(row, kOne);
        const Cost ownMany = measured(row, kMany);
        if (&row == &rows.front()) {
            one = own;
            many = ownMany;
        }
        row.processor.push_back(own.processor);
        row.ratios.push_back(ratio(own.processor, one.processor));
        row.wallRatios.push_back(ratio(own.wall, one.wall));
        row.manyRatios.push_back(ratio(ownMany.processor, many.processor));
    }
}

void print(const std::vector<Row>& rows) {
    fmt::print("| host                    | CPU ns | ratio (from - to)  | goal | round trip | system calls | 50 "
               "connections |\n"
               "|-------------------------|-------:|-------------------:|-----:|-----------:|-------------:|-----------"
               "----:|\n");
    for (const Row& row : rows) {
        const auto [least, most] = std::minmax_element(row.ratios.begin(), row.ratios.end());
        fmt::print(
            "| {:<23} | {:>6.0f} | {:>4.2f} ({:>4.2f} - {:>4.2f}) | {:>4} | {:>10.2f} | {:>12.2f} | {:>14.2f} |\n",
            row.name, median(row.processor), median(row.ratios), *least, *most,
            row.goal > 0 ? fmt::format("{:.1f}", row.goal) : "", median(row.wallRatios), row.systemCalls,
            median(row.manyRatios));
    }
}

bool isChosen(std::string_view name, const std::vector<std::string>& chosen) {
    return chosen.empty() || std::any_of(chosen.begin(), chosen.end(), [&](const std::string& beginning) {
               return name.substr(0, beginning.size()) == beginning;
           });
}

/// Says which goals are missed. @returns how many
int missed(const std::vector<Row>& rows) {
    constexpr double kNothing = 1.1; // what noise leaves of "nothing measurable"
    int count = 0;
    for (const Row& row : rows) {
        if (row.goal > 0 && median(row.ratios) > row.goal) {
            fmt::print("missed: {}: {:.2f} times the CPU of run(); goal {:.1f}\n", row.name, median(row.ratios),
                       row.goal);
            ++count;
        }
        if (row.goal > 0 && median(row.manyRatios) > kNothing) {
            fmt::print("missed: {}: {:.2f} at 50 connections; goal: nothing measurable\n", row.name,
                       median(row.manyRatios));
            ++count;
        }
    }
    return count;
}

/// @returns the exit status.
int compare(int rounds, bool check, const std::vector<std::string>& chosen) {
    std::vector<Row> rows;
    rows.push_back({.name = "run()", .goal = 0, .run = &runAlone});
    for (const HostLoop& host : hostLoops()) {
        if (isChosen(host.name, chosen)) {
            rows.push_back({.name = std::string(host.name), .goal = host.goal, .run = [&host](const Load& load) {
                                return runHosted(host, load);
                            }});
        }
    }
    for (Row& row : rows)
        row.systemCalls = systemCallsOf(row);
    for (int i = 0; i < rounds; ++i)
        measureRound(rows);
    print(rows);
    return check && missed(rows) != 0 ? 1 : 0;
}

} // namespace

const std::vector<HostLoop>& hostLoops() {
    std::vector<HostLoop>& all = allLoops();
    std::sort(all.begin(), all.end(), [](const HostLoop& a, const HostLoop& b) { return a.name < b.name; });
    return all;
}

RegisterLoop::RegisterLoop(const HostLoop& loop) {
    allLoops().push_back(loop);
}

} // namespace torsion::benchmarks

int main(int argc, char** argv) {
    int rounds = 7;
    std::vector<std::string> words(argv + 1, argv + argc);
    const bool check = !words.empty() && words.front() == "--check";
    if (check)
        words.erase(words.begin());
    if (words.size() >= 2 && words.front() == "--rounds") {
        rounds = std::atoi(words[1].c_str());
        words.erase(words.begin(), words.begin() + 2);
    }
    if (rounds < 1 || rounds > 1000 || (!words.empty() && words.front().substr(0, 1) == "-")) {
        std::fprintf(stderr, "usage: host_costs [--check] [--rounds N] [NAME]...\n");
        return 2;
    }
    try {
        return torsion::benchmarks::compare(rounds, check, words);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "host_costs: %s\n", error.what());
        return 1;
    }
}
