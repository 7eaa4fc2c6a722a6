#include <reactor/core/write_queue.hpp>

#include <algorithm>
#include <cstring>
#include <utility>

namespace torsion::core {

ChunkPool::~ChunkPool() {
    while (free_)
        delete std::exchange(free_, free_->next);
}

Chunk* ChunkPool::takeBlock() {
    if (free_) {
        Chunk* chunk = std::exchange(free_, free_->next);
        --kept_;
        chunk->next = nullptr;
        chunk->begin = chunk->end = 0;
        return chunk;
    }
    auto chunk = std::make_unique<Chunk>();
    chunk->block = std::make_unique_for_overwrite<char[]>(Chunk::kBlockSize);
    return chunk.release();
}

Chunk* ChunkPool::wrap(std::string&& bytes) {
    auto chunk = std::make_unique<Chunk>();
    chunk->end = bytes.size();
    chunk->owned = std::move(bytes);
    return chunk.release();
}

void ChunkPool::giveBack(Chunk* chunk) noexcept {
    if (!chunk->block || kept_ == kMaxKept) {
        delete chunk;
        return;
    }
    chunk->next = free_;
    free_ = chunk;
    ++kept_;
}

void WriteQueue::link(Chunk* chunk) noexcept {
    (tail_ ? tail_->next : head_) = chunk;
    tail_ = chunk;
}

void WriteQueue::append(ChunkPool& pool, std::string_view bytes) {
    while (!bytes.empty()) {
        if (!tail_ || tail_->room() == 0)
            link(pool.takeBlock());
        const std::size_t count = std::min(bytes.size(), tail_->room());
        std::memcpy(tail_->block.get() + tail_->end, bytes.data(), count);
        tail_->end += count;
        size_ += count;
        bytes.remove_prefix(count);
    }
}

void WriteQueue::appendOwned(ChunkPool& pool, std::string&& bytes, std::size_t skip) {
    Chunk* chunk = pool.wrap(std::move(bytes));
    chunk->begin = skip;
    size_ += chunk->size();
    link(chunk);
}

std::span<const std::string_view> WriteQueue::gather(std::span<std::string_view> views) const noexcept {
    std::size_t count = 0;
    for (const Chunk* chunk = head_; chunk && count < views.size(); chunk = chunk->next) {
        views[count++] = {chunk->data() + chunk->begin, chunk->size()};
    }
    return views.first(count);
}

void WriteQueue::consume(ChunkPool& pool, std::size_t count) noexcept {
    size_ -= count;
    while (head_ && count >= head_->size()) {
        count -= head_->size();
        Chunk* emptied = std::exchange(head_, head_->next);
        pool.giveBack(emptied);
        if (!head_)
            tail_ = nullptr;
    }
    if (head_)
        head_->begin += count;
}

} // namespace torsion::core
