#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace torsion::core {

/// A run of queued bytes: either a pooled block or a string that was given to us. A short write into an empty queue
/// takes a small block, so that a message to thousands of connections costs little more than its bytes until they are
/// flushed; what comes after it takes large ones.
///
///     block:   | sent | waiting ........ | room |          string:   | sent | waiting ... |
///              0      begin              end    capacity
struct Chunk {
    static constexpr std::size_t kSmallBlockSize = 1024;
    static constexpr std::size_t kBlockSize = 16 * 1024;

    Chunk* next = nullptr;
    std::size_t begin = 0;
    std::size_t end = 0;
    std::size_t capacity = 0; // of the block
    std::string owned;        // the bytes, when `block` is null
    std::unique_ptr<char[]> block;

    const char* data() const noexcept { return block ? block.get() : owned.data(); }
    std::size_t size() const noexcept { return end - begin; }
    std::size_t room() const noexcept { return capacity - std::min(end, capacity); }
};

/// Keeps blocks that queues have emptied for the next queue that fills; one for each reactor, so that a connection with
/// nothing to send owns no buffer, and one with much to send allocates nothing in steady state.
class ChunkPool {
public:
    /// Large and small blocks kept at most; more are given back to the heap.
    static constexpr std::size_t kMaxKept = 64;
    static constexpr std::size_t kMaxSmallKept = 1024;

    ChunkPool() = default;
    ChunkPool(const ChunkPool&) = delete;
    ChunkPool& operator=(const ChunkPool&) = delete;
    ~ChunkPool();

    /// @param size Chunk::kSmallBlockSize or Chunk::kBlockSize.
    Chunk* takeBlock(std::size_t size);
    Chunk* wrap(std::string&& bytes);
    void giveBack(Chunk* chunk) noexcept;

private:
    struct Kept {
        Chunk* first = nullptr;
        std::size_t count = 0;
    };

    Kept& keptOf(std::size_t size) noexcept { return size == Chunk::kSmallBlockSize ? small_ : large_; }

    Kept small_;
    Kept large_;
};

/// The bytes a stream could not send yet, in order. Owns its chunks; they go back to the pool as they are sent.
class WriteQueue {
public:
    /// Buffers offered to one send.
    static constexpr std::size_t kMaxBuffers = 64;

    WriteQueue() = default;
    WriteQueue(const WriteQueue&) = delete;
    WriteQueue& operator=(const WriteQueue&) = delete;

    bool empty() const noexcept { return size_ == 0; }
    std::size_t size() const noexcept { return size_; }

    /// Copies `bytes` to the end.
    void append(ChunkPool& pool, std::string_view bytes);

    /// Takes `bytes` over, without its first `skip` bytes, and without a copy.
    void appendOwned(ChunkPool& pool, std::string&& bytes, std::size_t skip);

    /// The first bytes as views for a gathering send.
    std::span<const std::string_view> gather(std::span<std::string_view> views) const noexcept;

    /// Drops the first `count` bytes: they are sent.
    void consume(ChunkPool& pool, std::size_t count) noexcept;

    void clear(ChunkPool& pool) noexcept { consume(pool, size_); }

private:
    void link(Chunk* chunk) noexcept;
    std::size_t nextBlockSize(std::size_t bytes) const noexcept {
        return empty() && bytes <= Chunk::kSmallBlockSize ? Chunk::kSmallBlockSize : Chunk::kBlockSize;
    }

    Chunk* head_ = nullptr;
    Chunk* tail_ = nullptr;
    std::size_t size_ = 0;
};

} // namespace torsion::core
