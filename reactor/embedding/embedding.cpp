#include <reactor/embedding/embedding.hpp>

#include <reactor/libuv/embedded_loop.hpp>
#include <reactor/libuv/uv_reactor.hpp>

#include <utility>

namespace torsion {

Embedding UvReactor::embed() {
    return embed(EmbedOptions{});
}

Embedding UvReactor::embed(const EmbedOptions& options) {
    return Embedding(uv::EmbeddedLoop::embed(*this, {options.singleDescriptor, options.budget, options.patience}));
}

int Embedding::fd() const noexcept {
    return loop_->descriptor();
}

std::optional<std::chrono::milliseconds> Embedding::timeout() noexcept {
    return loop_->timeout();
}

Dispatched Embedding::dispatch() {
    using Outcome = uv::EmbeddedLoop::Outcome;
    switch (loop_->dispatch()) {
    case Outcome::Idle:
        return Dispatched::Idle;
    case Outcome::More:
        return Dispatched::More;
    case Outcome::Busy:
        return Dispatched::Busy;
    case Outcome::Stopped:
        break;
    }
    return Dispatched::Stopped;
}

void Embedding::onChange(Function<void()> f) {
    loop_->onChange(std::move(f));
}

void Embedding::onStopped(Function<void()> f) {
    if (UvReactor* reactor = loop_->reactor())
        reactor->onStopped(std::move(f));
}

void Embedding::onGone(Function<void()> f) {
    loop_->onGone(std::move(f));
}

void Embedding::touch() {
    loop_->touch();
}

void Embedding::afterFork() {
    loop_->afterFork();
}

unsigned Embedding::generation() const noexcept {
    return loop_->generation();
}

bool Embedding::isSingleDescriptor() const noexcept {
    return loop_->isSingleDescriptor();
}

std::uint64_t Embedding::dispatches() const noexcept {
    return loop_->dispatches();
}

std::uint64_t Embedding::timesLate() const noexcept {
    return loop_->timesLate();
}

UvReactor* Embedding::reactor() const noexcept {
    return loop_->reactor();
}

} // namespace torsion
