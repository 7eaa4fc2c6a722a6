// Long computations beside quick answers, on one thread: a Cooperator does a piece of each in turn.

#include "support/program.hpp"

#include <protocols/basic/line_only_receiver.hpp>
#include <reactor/cooperator.hpp>
#include <reactor/scoped_protocol.hpp>

#include <spdlog/fmt/fmt.h>

#include <charconv>
#include <chrono>
#include <cstdint>
#include <string_view>

namespace {

bool isPrime(std::uint64_t number) {
    if (number < 4)
        return number > 1;
    if (number % 2 == 0)
        return false;
    for (std::uint64_t divisor = 3; divisor * divisor <= number; divisor += 2) {
        if (number % divisor == 0)
            return false;
    }
    return true;
}

/// Counts the primes up to a limit, some numbers at a time.
class PrimeCount {
public:
    explicit PrimeCount(std::uint64_t limit) : limit_(limit) {}

    torsion::Step step() {
        constexpr std::uint64_t kPiece = 100;
        for (std::uint64_t i = 0; i < kPiece && next_ <= limit_; ++i)
            count_ += isPrime(next_++) ? 1 : 0;
        return next_ > limit_ ? torsion::Step::done() : torsion::Step::more();
    }

    std::uint64_t count() const noexcept { return count_; }

private:
    std::uint64_t limit_;
    std::uint64_t next_ = 2;
    std::uint64_t count_ = 0;
};

/// Answers each line, a number, with how many primes there are up to it: as soon as that is known.
class Primes : public torsion::ScopedProtocol<torsion::LineOnlyReceiver> {
public:
    explicit Primes(torsion::Cooperator& cooperator) : cooperator_(cooperator) { setDelimiter("\n"); }

    void lineReceived(std::string_view line) override {
        constexpr std::size_t kMaxQuestions = 100;
        std::uint64_t limit = 0;
        const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), limit);
        if (error != std::errc() || end != line.data() + line.size() || limit > kMaxLimit)
            sendLine("a number, please");
        else if (scope().size() >= kMaxQuestions)
            sendLine("one after the other, please");
        else
            scope().spawn(answer(limit));
    }

private:
    static constexpr std::uint64_t kMaxLimit = 1'000'000'000'000;

    // When the connection is lost its scope cancels this, and thereby the task.
    torsion::Deferred<void> answer(std::uint64_t limit) {
        PrimeCount primes(limit);
        torsion::Deferred<void> done = cooperator_.coiterate([&primes] { return primes.step(); });
        co_await std::move(done);
        sendLine(fmt::format("{} primes up to {}", primes.count(), limit));
    }

    torsion::Cooperator& cooperator_;
};

} // namespace

int main(int argc, char** argv) {
    examples::Program program("Counts primes for its peers, one number a line.", examples::Role::Server, 7038);
    int slice = 10;
    program.option("--slice", slice, {1, 1000}, "milliseconds of computing between two looks at the connections");
    return program.run(argc, argv, [&](torsion::UvReactor& reactor) {
        torsion::Cooperator cooperator(reactor, {.slice = std::chrono::milliseconds(slice)});
        program.serve(reactor, torsion::Factory::fromFunction(
                                   [&](const torsion::Address&) { return std::make_shared<Primes>(cooperator); }));
    });
}
