#pragma once

#include <reactor/time_point.hpp>

#include <source_location>
#include <vector>

/// What Deferreds tell about themselves while a program is being debugged.

namespace torsion {

/// Has Deferreds write down where they are fired, and by what way a result comes to them; off at first. After Twisted's
/// defer.setDebugging.
///
/// The place of its creation every Deferred knows anyway. With debugging on, one that waits also keeps
///  - where its Promise was fired, or that it was cancelled: AlreadyCalledError names both places (S-153);
///  - the places of the Deferreds that the result came through, those a coroutine has awaited and those that steps have
///    returned, the last 16: the log's "Unhandled error in Deferred" names them. Those alone that had no result yet:
///    what is there already is taken without its place. A coroutine keeps the way of what it has waited for last;
///  - when it was made: pendingDeferreds();
///  - on which thread: that it is fired on another one is logged as an error, with both places. (What is made before a
///    reactor runs, and fired by it on another thread, is logged too.)
///
/// May be switched at any time, on any thread; it holds for what is made from then on. Off, it costs nothing that can
/// be measured; on, each Deferred that waits costs an entry in a table that all threads share.
void setDebugging(bool on) noexcept;
bool getDebugging() noexcept;

/// A Deferred that has no result yet.
struct PendingDeferred {
    std::source_location place; ///< of its creation
    Duration age;
};

/// What this thread waits for: the promises that were made on it with debugging on and have not been fired, and the
/// coroutines that await something that is no Deferred; the oldest first. Steps, and coroutines that await one of
/// these, are not told again. A coroutine that runs, the caller for one, is told where it has not awaited a Deferred
/// yet, or was resumed by something else: it is not known that it does not wait.
std::vector<PendingDeferred> pendingDeferreds();

} // namespace torsion
