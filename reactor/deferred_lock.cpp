#include <reactor/deferred_lock.hpp>

#include <reactor/detail/waiters.hpp>

#include <stdexcept>

namespace torsion {

namespace detail {

class TokenLine {
public:
    explicit TokenLine(std::size_t count) : limit(count), tokens(count) {}

    Deferred<void> acquire(const std::source_location& place) {
        if (tokens == 0 || handingOver_)
            return waiters.add(place);
        --tokens;
        return Deferred<void>::succeed(place);
    }

    void release() {
        if (tokens == limit)
            throw std::logic_error("release: nothing is held");
        ++tokens;
        if (handingOver_)
            return;
        // Not one inside the other: a step that releases at once would do so for everybody in the line.
        handingOver_ = true;
        while (tokens > 0 && !waiters.empty()) {
            --tokens;
            waiters.takeFirst().callback();
        }
        handingOver_ = false;
    }

    const std::size_t limit;
    std::size_t tokens;
    Waiters<void> waiters;

private:
    bool handingOver_ = false;
};

void TokenReturn::operator()() const {
    line_->release();
}

} // namespace detail

DeferredSemaphore::DeferredSemaphore(std::size_t tokens) {
    if (tokens == 0)
        throw std::invalid_argument("DeferredSemaphore: there must be a token");
    line_ = std::make_shared<detail::TokenLine>(tokens);
}

DeferredSemaphore::~DeferredSemaphore() {
    const std::shared_ptr<detail::TokenLine> line = line_; // their steps may release
    line->waiters.clear();
}

Deferred<void> DeferredSemaphore::acquire(std::source_location place) {
    return line_->acquire(place);
}

void DeferredSemaphore::release() {
    const std::shared_ptr<detail::TokenLine> line = line_; // a step may destroy this object
    line->release();
}

std::size_t DeferredSemaphore::limit() const noexcept {
    return line_->limit;
}

std::size_t DeferredSemaphore::tokens() const noexcept {
    return line_->tokens;
}

std::size_t DeferredSemaphore::waiting() const noexcept {
    return line_->waiters.size();
}

} // namespace torsion
