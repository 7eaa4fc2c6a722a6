#pragma once

#include <reactor/protocol.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <type_traits>

namespace torsion {

/// How lines are cut. The delimiter is copied by whoever takes these options.
struct LineOptions {
    std::string_view delimiter = "\r\n"; ///< bytes between lines; not empty
    std::size_t maxLength = 16384;       ///< bytes of a line, without its delimiter
};

static_assert(std::is_trivially_destructible_v<LineOptions>);

/// A protocol of lines and nothing else: no raw mode, no pausing within a chunk (S-195).
///
/// Used as any Protocol; `lineReceived` may do what any callback may. Keeps at most one unfinished line, of at most
/// `maxLength` bytes and a part of a delimiter. Once the transport is disconnecting no line is delivered any more,
/// whatever else arrives (S-194).
class LineOnlyReceiver : public Protocol {
public:
    /// @throws std::invalid_argument for an empty delimiter.
    explicit LineOnlyReceiver(const LineOptions& options = {});

    /// A line arrived.
    /// @param line without its delimiter; may be empty; valid until this call returns.
    virtual void lineReceived(std::string_view line) = 0;

    /// A line is longer than allowed. The default closes the connection with `loseConnection()`. An override that does
    /// not close goes on with the next line; what is still to come of this one is skipped (in Twisted the lines of the
    /// same chunk are lost, and the unfinished line is told again).
    /// @param line the line, or what there is of it so far; valid until this call returns.
    virtual void lineLengthExceeded(std::string_view line);

    /// Sends `line` and a delimiter with one `writeSequence` (S-200). The line's length and content are not checked.
    void sendLine(std::string_view line);

    /// Both hold from the next line on, also when changed inside `lineReceived`.
    /// @throws std::invalid_argument for an empty delimiter.
    void setDelimiter(std::string_view delimiter);
    void setMaxLength(std::size_t bytes) noexcept { maxLength_ = bytes; }

    const std::string& delimiter() const noexcept { return delimiter_; }
    std::size_t maxLength() const noexcept { return maxLength_; }

    /// Bytes kept of the unfinished line.
    std::size_t bufferedLength() const noexcept { return partial_.size(); }

    void makeConnection(Transport& newTransport) override;
    void dataReceived(std::string_view data) override;

private:
    bool closed();
    void cut(std::string_view data);
    std::string_view finishPartial(std::string_view data);
    void keepPartial(std::string_view data);
    void deliver(std::string_view line);

    std::string delimiter_;
    std::string partial_; // the unfinished line: no delimiter in it, but maybe the beginning of one at its end
    std::size_t maxLength_;
    bool skipping_ = false; // up to the next delimiter: the end of a line that was too long
    bool cutAgain_ = false; // the delimiter was changed: partial_ may hold the new one
    bool closed_ = false;   // a latch: no line is delivered again on this connection
};

} // namespace torsion
