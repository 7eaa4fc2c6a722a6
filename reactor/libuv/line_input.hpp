#pragma once

#include <reactor/clock.hpp>
#include <reactor/failure.hpp>
#include <reactor/function.hpp>
#include <reactor/libuv/input_reader.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace torsion {

/// What LineInput answers: a line, or that there are no more.
struct InputLine {
    std::string_view text{}; ///< without its newline; valid until the handler returns
    Failure end{};           ///< empty for a line; ConnectionDone after the last one; else what went wrong

    /// True for a line, an empty one too.
    explicit operator bool() const noexcept { return !end; }
};

/// The lines of a descriptor, one at a time and only when asked for: for dialogues, in which the next line waits for
/// the answer to the last, typed or from a file. Reads as InputReader does. While no line is wanted nothing is read, so
/// what another program shall read of a terminal stays there.
///
/// Lines end with a newline; the last may do without. A line longer than the limit ends the input.
///
/// Owned by its user; the reactor must outlive it. May be destroyed inside its handlers. Reactor's thread only.
class LineInput final : private InputEvents {
public:
    using Handler = Function<void(const InputLine& line)>;

    static constexpr std::size_t kMaxLength = 64 * 1024; ///< the default limit, bytes without the newline

    /// @param descriptor open for reading; stays the caller's.
    /// @throws std::system_error as InputReader.
    LineInput(UvReactor& reactor, int descriptor, std::size_t maxLength = kMaxLength);

    /// Asks for the next line. `handler` is called once, in a later phase; it may ask for the line after it.
    /// @throws std::logic_error while a line is asked for already.
    void nextLine(Handler handler);

    /// Takes the question back: the handler is not called. The line stays for the next question.
    void cancel() noexcept;

    bool isAsked() const noexcept { return static_cast<bool>(handler_); }

private:
    void inputReceived(std::string_view data) override;
    void inputEnded(const Failure& reason) override;
    bool findAnswer();
    void answer();

    UvReactor& reactor_;
    std::size_t maxLength_;
    std::string buffer_;      // read, from begin_ on not yet delivered
    std::size_t begin_ = 0;   // of the next line
    std::size_t lineEnd_ = 0; // no newline between begin_ and here; after findAnswer() where the line ends
    Failure end_;             // told when no line is left
    Handler handler_;
    ScopedCall soon_;
    InputReader reader_;
};

} // namespace torsion
