#pragma once

#include <memory>

struct uv_loop_s;

namespace torsion {

class UvReactor;

namespace uv {

/// Whether something of the reactor is on the stack: one of its callbacks, or its loop, which is ours to run. To
/// destroy it there would end the program.
bool isInUse(UvReactor& reactor) noexcept;

/// Calls a function when all that was closed on a loop before `expect()` is closed, in a later turn of that loop.
class ClosedNotice {
public:
    /// @param loop somebody's, who runs it
    ClosedNotice(uv_loop_s* loop, void (*f)(void*), void* user);
    ClosedNotice(const ClosedNotice&) = delete;
    ClosedNotice& operator=(const ClosedNotice&) = delete;
    ~ClosedNotice();

    /// From now on the function will be called, whatever becomes of this object.
    void expect() noexcept;

private:
    struct Block;
    std::unique_ptr<Block> block_;
};

} // namespace uv
} // namespace torsion
