#include "embedding/suite.hpp"

#include "support/hosted.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <string>

namespace torsion::test {

using namespace std::chrono_literals;

HostScene::HostScene(const HostKind& itsKind, std::chrono::microseconds budget)
    : kind(itsKind), host(kind.make()), reactor(host->makeReactor()) {
    if (!host->embeds())
        return;
    EmbedOptions options = kind.options;
    options.budget = budget;
    embedding = reactor->embed(options);
    attach();
}

HostScene::~HostScene() {
    destroyReactor();
}

void HostScene::attach() {
    host->attach(*embedding);
    attached = true;
}

void HostScene::detach() {
    host->detach();
    attached = false;
}

void HostScene::destroyReactor() {
    if (attached && host)
        detach();
    reactor.reset();
}

void HostScene::until(CallableRef<bool()> condition) {
    REQUIRE_MESSAGE(host->runUntil(condition, 60'000ms), "what was waited for did not happen within a minute");
}

void HostScene::settle() {
    constexpr int kRounds = 5;
    const auto rounds = std::make_shared<int>(0); // a late one finds it
    for (int i = 1; i <= kRounds; ++i) {
        host->after(1ms, [rounds] { ++*rounds; });
        until([&] { return *rounds >= 2 * i - 1; });
        if (reactor && (attached || !embedding))
            reactor->callLater(0ms, [rounds] { ++*rounds; });
        else
            ++*rounds;
        until([&] { return *rounds >= 2 * i; });
    }
}

std::shared_ptr<ListeningPort> HostScene::listen(std::shared_ptr<Factory> factory) {
    return reactor->listenTCP(0, std::move(factory), {.interface = "127.0.0.1"});
}

std::shared_ptr<ListeningPort> HostScene::listenEcho() {
    return listen(HookedFactory::make({.build = [] { return std::make_shared<HookedProtocol>(echoing()); }}));
}

HostPair::HostPair(HostScene& scene, ProtocolHooks serverHooks, ProtocolHooks clientHooks)
    : server(std::make_shared<HookedProtocol>(std::move(serverHooks))),
      client(std::make_shared<HookedProtocol>(std::move(clientHooks))), port(scene.listen(HookedFactory::of(server))),
      connector(scene.reactor->connectTCP("127.0.0.1", port->getHost().port(), HookedFactory::of(client))) {
    scene.until([this] { return server->record->made != 0 && client->record->made != 0; });
}

EventPipe::EventPipe() {
    REQUIRE(::pipe2(ends_, O_CLOEXEC | O_NONBLOCK) == 0);
}

EventPipe::~EventPipe() {
    ::close(ends_[0]);
    ::close(ends_[1]);
}

void EventPipe::send() {
    REQUIRE(::write(ends_[1], "x", 1) == 1);
}

void EventPipe::take() {
    char taken = 0;
    REQUIRE(::read(ends_[0], &taken, 1) == 1);
}

bool spins(const HostScene& scene, std::uint64_t before, std::chrono::steady_clock::time_point since) {
    const auto passed = std::chrono::ceil<std::chrono::milliseconds>(std::chrono::steady_clock::now() - since);
    return scene.dispatches() - before > 30 + static_cast<std::uint64_t>(passed.count());
}

void runOnHosts(RunHosts which, std::chrono::microseconds budget, void (*body)(HostScene&)) {
    for (const HostKind& kind : hostKinds()) {
        INFO("host: ", std::string(kind.name));
        HostScene scene(kind, budget);
        if (which == RunHosts::All || scene.embedding)
            body(scene);
    }
}

} // namespace torsion::test
