#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace torsion::core {

/// A run of queued bytes: either a pooled block (`kBlockSize` bytes behind the header) or a string that was given to
/// us.
///
///     block:   | sent | waiting ........ | room |          string:   | sent | waiting ... |
///              0      begin              end    kBlockSize
struct Chunk {
    static constexpr std::size_t kBlockSize = 16 * 1024;

    Chunk* next = nullptr;
    std::size_t begin = 0;
    std::size_t end = 0;
    std::string owned; // the bytes, when `block` is null
    std::unique_ptr<char[]> block;

    const char* data() const noexcept { return block ? block.get() : owned.data(); }
    std::size_t size() const noexcept { return end - begin; }
    std::size_t room() const noexcept { return block ? kBlockSize - end : 0; }
};

/// Keeps blocks that queues have emptied for the next queue that fills; one for each reactor, so that a connection with
/// nothing to send owns no buffer, and one with much to send allocates nothing in steady state.
class ChunkPool {
public:
    /// Blocks kept at most; more are given back to the heap.
    static constexpr std::size_t kMaxKept = 64;

    ChunkPool() = default;
    ChunkPool(const ChunkPool&) = delete;
    ChunkPool& operator=(const ChunkPool&) = delete;
    ~ChunkPool();

    Chunk* takeBlock();
    Chunk* wrap(std::string&& bytes);
    void giveBack(Chunk* chunk) noexcept;

private:
    Chunk* free_ = nullptr;
    std::size_t kept_ = 0;
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

    Chunk* head_ = nullptr;
    Chunk* tail_ = nullptr;
    std::size_t size_ = 0;
};

} // namespace torsion::core
