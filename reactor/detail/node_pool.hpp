#pragma once

#include <cstddef>

namespace torsion::detail {

/// Memory for the nodes of Deferreds and the frames of their coroutines: freed blocks are kept for the next ones of the
/// thread, at most kPooledNodesPerClass of each size (an eighth of that where blocks have more than 256 bytes), so that
/// chains of steps cost no allocation once warm. A block may be freed on another thread than it was taken on. Compiled
/// to plain new and delete under AddressSanitizer, which then sees every use after free.
inline constexpr std::size_t kPooledNodesPerClass = 1024;

/// Whether this build pools.
bool nodesArePooled() noexcept;

void* allocateNode(std::size_t size);

/// @param size as it was given to allocateNode.
void freeNode(void* block, std::size_t size) noexcept;

} // namespace torsion::detail
