// Fetches pages of a server, so many at a time; interrupted, it says what it has.

#include "support/program.hpp"

#include <reactor/deferred_list.hpp>
#include <reactor/deferred_lock.hpp>
#include <reactor/stream.hpp>

#include <spdlog/fmt/fmt.h>

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;

torsion::Deferred<void> fetch(torsion::Reactor& reactor, const examples::Program& program, int number, int& fetched) {
    torsion::Stream conn = co_await torsion::connectStream(reactor, program.host(), program.port());
    std::string request = fmt::format("GET /{} HTTP/1.0\r\n\r\n", number);
    co_await conn.write(std::move(request));
    const std::string page = co_await conn.readAll(1024 * 1024);
    fmt::print("/{}: {} bytes, the {}. page\n", number, page.size(), ++fetched);
}

torsion::Deferred<void> crawl(torsion::Reactor& reactor, const examples::Program& program, int pages, int parallel) {
    int fetched = 0;
    torsion::DeferredSemaphore slots(static_cast<std::size_t>(parallel));
    std::vector<torsion::Deferred<void>> fetches;
    for (int number = 1; number <= pages; ++number)
        fetches.push_back(
            slots.run([&, number] { return fetch(reactor, program, number, fetched).addTimeout(30s, reactor); }));
    auto all = torsion::asResult(torsion::deferredList(std::move(fetches)));
    const auto results = co_await std::move(all);
    // The list fails by cancellation alone.
    fmt::print("{}fetched {} of {} pages\n", results ? "" : "interrupted: ", fetched, pages);
    for (std::size_t i = 0; results && i < results->size(); ++i)
        (*results)[i].value(); // the first that failed is the program's failure
}

} // namespace

int main(int argc, char** argv) {
    examples::Program program("Fetches pages of a server.", examples::Role::Client, 8080);
    int pages = 100, parallel = 10;
    program.option("--pages", pages, {1, 1'000'000}, "how many: /1, /2, …");
    program.option("--parallel", parallel, {1, 10'000}, "how many at a time");
    return program.react(argc, argv,
                         [&](torsion::Reactor& reactor) { return crawl(reactor, program, pages, parallel); });
}
