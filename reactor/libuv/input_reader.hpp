#pragma once

#include <memory>
#include <string_view>

namespace torsion {

class Failure;
class UvReactor;

/// Whom an InputReader tells. Called on the reactor's thread, never from inside the reader's functions; what is thrown
/// is logged.
class InputEvents {
public:
    /// Bytes came.
    /// @param data at most 64 KiB, never empty; valid until this call returns.
    virtual void inputReceived(std::string_view data) = 0;

    /// Nothing will come any more. The last call.
    /// @param reason ConnectionDone at the end of the input, else ConnectionLost with the errno value.
    virtual void inputEnded(const Failure& reason) = 0;

protected:
    ~InputEvents() = default;
};

/// Reads a descriptor that somebody else opened, such as standard input, without blocking the reactor: a terminal, a
/// pipe, a socket, a regular file or a device. A file is read in one chunk a turn, since readiness means nothing there;
/// a slow disk is waited for.
///
/// The flags of the descriptor stay as they are: O_NONBLOCK belongs to what was opened, which a shell and other
/// programs share, so a terminal or pipe is opened once more for this reader alone. (Where that is not permitted each
/// read asks first whether it would block.) A regular file's position is shared, and advances.
///
/// Owned by its user. The descriptor stays the caller's, and may be closed once the reader exists. The reactor must
/// outlive the reader, which may be destroyed inside its own callbacks. Reactor's thread only.
class InputReader {
public:
    /// Paused at first.
    /// @param descriptor open for reading.
    /// @throws std::system_error when it is not open, or no descriptor is left.
    InputReader(UvReactor& reactor, int descriptor, InputEvents& events);
    InputReader(const InputReader&) = delete;
    InputReader& operator=(const InputReader&) = delete;
    ~InputReader();

    /// Delivers input, in later phases, until paused. Does nothing after the end.
    void resumeReading();

    /// Delivers nothing until resumed, the end included.
    void pauseReading() noexcept;

    bool isReading() const noexcept;

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace torsion
