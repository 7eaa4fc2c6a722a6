#include <reactor/core/write_queue.hpp>

#include <algorithm>
#include <cstring>
#include <utility>

namespace torsion::core {

ChunkPool::~ChunkPool() {
    for (Kept* kept : {&small_, &large_}) {
        while (kept->first)
            delete std::exchange(kept->first, kept->first->next);
    }
}

Chunk* ChunkPool::takeBlock(std::size_t size) {
    Kept& kept = keptOf(size);
    if (kept.first) {
        Chunk* chunk = std::exchange(kept.first, kept.first->next);
        --kept.count;
        chunk->next = nullptr;
        chunk->begin = chunk->end = 0;
        return chunk;
    }
    auto chunk = std::make_unique<Chunk>();
    chunk->block = std::make_unique_for_overwrite<char[]>(size);
    chunk->capacity = size;
    return chunk.release();
}

Chunk* ChunkPool::wrap(std::string&& bytes) {
    auto chunk = std::make_unique<Chunk>();
    chunk->end = bytes.size();
    chunk->owned = std::move(bytes);
    return chunk.release();
}

void ChunkPool::giveBack(Chunk* chunk) noexcept {
    Kept& kept = keptOf(chunk->capacity);
    if (!chunk->block || kept.count == (&kept == &small_ ? kMaxSmallKept : kMaxKept)) {
        delete chunk;
        return;
    }
    chunk->next = kept.first;
    kept.first = chunk;
    ++kept.count;
}

void WriteQueue::link(Chunk* chunk) noexcept {
    (tail_ ? tail_->next : head_) = chunk;
    tail_ = chunk;
}

void WriteQueue::append(ChunkPool& pool, std::string_view bytes) {
    while (!bytes.empty()) {
        if (!tail_ || tail_->room() == 0)
            link(pool.takeBlock(nextBlockSize(bytes.size())));
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
