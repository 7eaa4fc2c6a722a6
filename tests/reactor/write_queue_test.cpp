#include "support/alloc_count.hpp"

#include <doctest/doctest.h>

#include <reactor/core/write_queue.hpp>

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <string_view>
#include <utility>

using namespace torsion::core;
using torsion::test::AllocationCount;

namespace {

/// A queue and its pool; what is left goes back to the pool at the end, as a stream sees to it.
struct Fixture {
    ~Fixture() { queue.clear(pool); }

    std::string bytes() const {
        std::array<std::string_view, WriteQueue::kMaxBuffers> views;
        std::string result;
        for (const std::string_view view : queue.gather(views))
            result += view;
        return result;
    }
    std::size_t buffers() const {
        std::array<std::string_view, WriteQueue::kMaxBuffers> views;
        return queue.gather(views).size();
    }

    ChunkPool pool;
    WriteQueue queue;
};

std::string numbered(std::size_t size) {
    std::string result(size, '\0');
    for (std::size_t i = 0; i < size; ++i)
        result[i] = static_cast<char>(i * 31 + i / 251);
    return result;
}

} // namespace

TEST_CASE_FIXTURE(Fixture, "an empty queue offers nothing") {
    CHECK(queue.empty());
    CHECK(queue.size() == 0);
    CHECK(buffers() == 0);
    queue.append(pool, "");
    CHECK(queue.empty());
    CHECK(buffers() == 0);
}

TEST_CASE_FIXTURE(Fixture, "small pieces are joined in one buffer, in order") {
    queue.append(pool, "one ");
    queue.append(pool, "two ");
    queue.append(pool, "three");
    CHECK(queue.size() == 13);
    CHECK(buffers() == 1);
    CHECK(bytes() == "one two three");
}

TEST_CASE_FIXTURE(Fixture, "what is longer than a block is spread over several, without a gap") {
    const std::string data = numbered(Chunk::kBlockSize * 2 + 1);
    queue.append(pool, "x");
    queue.append(pool, data);
    CHECK(queue.size() == data.size() + 1);
    CHECK(buffers() == 3);
    CHECK(bytes() == "x" + data);
}

TEST_CASE_FIXTURE(Fixture, "a string that is given away is not copied, and what was sent of it is skipped") {
    std::string data = numbered(100'000);
    const std::string rest = data.substr(1000);
    const char* place = data.data();
    queue.append(pool, "before ");
    queue.appendOwned(pool, std::move(data), 1000);
    queue.append(pool, " after");
    CHECK(bytes() == "before " + rest + " after");
    std::array<std::string_view, 3> views;
    CHECK(queue.gather(views)[1].data() == place + 1000);
}

TEST_CASE_FIXTURE(Fixture, "nothing is appended to a string of the user's") {
    queue.appendOwned(pool, std::string(100, 'a'), 0);
    queue.append(pool, "b");
    CHECK(buffers() == 2);
}

TEST_CASE_FIXTURE(Fixture, "sent bytes go, in portions of any size, over the borders of blocks and strings") {
    const std::string data = numbered(50'000);
    for (const std::size_t portion : {std::size_t{1}, std::size_t{7}, Chunk::kBlockSize - 1, Chunk::kBlockSize,
                                      Chunk::kBlockSize + 1, data.size()}) {
        CAPTURE(portion);
        queue.append(pool, std::string_view(data).substr(0, 20'000));
        queue.appendOwned(pool, data.substr(20'000, 20'000), 0);
        queue.append(pool, std::string_view(data).substr(40'000));
        std::string sent;
        while (!queue.empty()) {
            const std::size_t count = std::min(portion, queue.size());
            sent += bytes().substr(0, count);
            queue.consume(pool, count);
        }
        CHECK(sent == data);
        CHECK(buffers() == 0);
    }
}

TEST_CASE_FIXTURE(Fixture, "a queue goes on after bytes were sent: room at the end of a block is used") {
    queue.append(pool, "abcdef");
    queue.consume(pool, 3);
    queue.append(pool, "ghi");
    CHECK(buffers() == 1);
    CHECK(bytes() == "defghi");
    CHECK(queue.size() == 6);
}

TEST_CASE_FIXTURE(Fixture, "no more buffers are offered than asked for") {
    for (int i = 0; i < 5; ++i)
        queue.appendOwned(pool, std::string(10, static_cast<char>('a' + i)), 0);
    std::array<std::string_view, 2> views;
    const auto offered = queue.gather(views);
    REQUIRE(offered.size() == 2);
    CHECK(offered[0] == "aaaaaaaaaa");
    CHECK(offered[1] == "bbbbbbbbbb");
}

TEST_CASE_FIXTURE(Fixture, "clearing drops everything, and the queue can be used again") {
    queue.append(pool, numbered(40'000));
    queue.appendOwned(pool, numbered(100), 0);
    queue.clear(pool);
    CHECK(queue.empty());
    CHECK(buffers() == 0);
    queue.append(pool, "again");
    CHECK(bytes() == "again");
}

TEST_CASE_FIXTURE(Fixture, "blocks are used again: a queue that fills and empties allocates nothing") {
    const std::string data = numbered(Chunk::kBlockSize * 3);
    queue.append(pool, data);
    queue.clear(pool);
    const AllocationCount count;
    for (int i = 0; i < 100; ++i) {
        queue.append(pool, data);
        queue.clear(pool);
    }
    CHECK(count.get() == 0);
}

TEST_CASE_FIXTURE(Fixture, "a block that is used again offers nothing of what was in it before") {
    queue.append(pool, "secret");
    queue.consume(pool, 6);
    queue.append(pool, "new");
    CHECK(bytes() == "new");
}

TEST_CASE_FIXTURE(Fixture, "the pool keeps no more than its limit") {
    const std::string data = numbered(Chunk::kBlockSize * (ChunkPool::kMaxKept + 10));
    queue.append(pool, data);
    queue.clear(pool);
    const AllocationCount count;
    queue.append(pool, data);
    CHECK(count.get() != 0); // ten blocks were given back
    CHECK(queue.size() == data.size());
}

TEST_CASE_FIXTURE(Fixture,
                  "a short write into an empty queue takes a small block, and what comes after it large ones") {
    const std::string piece = numbered(Chunk::kSmallBlockSize);
    queue.append(pool, piece);
    CHECK(buffers() == 1);
    queue.append(pool, piece);
    CHECK(buffers() == 2); // the small one is full
    for (std::size_t size = 2 * piece.size(); size < Chunk::kBlockSize; size += piece.size())
        queue.append(pool, piece);
    CHECK(buffers() == 2);
}

TEST_CASE_FIXTURE(Fixture, "small and large blocks are used again, each for its like") {
    queue.append(pool, "short");
    queue.append(pool, numbered(Chunk::kBlockSize));
    queue.clear(pool);
    const std::string large = numbered(Chunk::kBlockSize);
    const AllocationCount count;
    for (int i = 0; i < 100; ++i) {
        queue.append(pool, "short");
        queue.append(pool, large);
        queue.clear(pool);
        queue.append(pool, large);
        queue.clear(pool);
    }
    CHECK(count.get() == 0);
}
