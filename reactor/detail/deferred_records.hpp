#pragma once

#include <cstdint>
#include <source_location>
#include <string>

/// What setDebugging(true) has the nodes of Deferreds write down: a table beside them, so that a node is no larger, and
/// one that was made while debugging was off has nothing to do but to know that. All may be called on any thread. Where
/// there is no memory for a record there is none.
namespace torsion::detail {

class DeferredNode;

enum class WaitsFor : std::uint8_t {
    Producer, ///< a Promise, or what is not ours: the operation itself
    Deferred, ///< the node above
    Nothing   ///< it has its result, or is running
};

/// @returns whether there is a record now.
bool recordNode(const DeferredNode& node) noexcept;
void forgetNode(const DeferredNode& node) noexcept;

void recordWaiting(const DeferredNode& node, WaitsFor what) noexcept;

/// Who brought the result: a call at `place`, or a cancellation. The first counts.
void recordFired(const DeferredNode& node, const std::source_location& place) noexcept;
void recordCancelled(const DeferredNode& node) noexcept;

/// The result goes down from one node to the other, which runs now, and with it where it comes from.
void recordResult(const DeferredNode& above, const DeferredNode& below) noexcept;

/// It has run, and has no result yet: where it does not wait for a Deferred it waits for what is not ours.
void recordSuspended(const DeferredNode& node) noexcept;

/// For the message that names the place of creation: what goes on behind it, where its result comes from.
std::string historyOf(const DeferredNode& node) noexcept;

/// For AlreadyCalledError: where the Promise was made and fired.
std::string storyOf(const DeferredNode& node) noexcept;

} // namespace torsion::detail
