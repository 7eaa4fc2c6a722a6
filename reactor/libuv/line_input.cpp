#include <reactor/libuv/line_input.hpp>

#include <reactor/libuv/uv_reactor.hpp>

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace torsion {

LineInput::LineInput(UvReactor& reactor, int descriptor, std::size_t maxLength)
    : reactor_(reactor), maxLength_(maxLength), reader_(reactor, descriptor, *this) {}

void LineInput::nextLine(Handler handler) {
    if (handler_)
        throw std::logic_error("LineInput: a line is asked for already");
    handler_ = std::move(handler);
    if (findAnswer()) {
        soon_ = reactor_.turn().callLater(Duration::zero(), [this] { answer(); });
    } else {
        reader_.resumeReading();
    }
}

void LineInput::cancel() noexcept {
    handler_ = nullptr;
    soon_.cancel();
    reader_.pauseReading();
}

void LineInput::inputReceived(std::string_view data) {
    buffer_.erase(0, begin_);
    lineEnd_ -= std::exchange(begin_, 0);
    buffer_.append(data);
    if (!findAnswer())
        return;
    reader_.pauseReading();
    answer();
}

void LineInput::inputEnded(const Failure& reason) {
    end_ = reason;
    if (findAnswer())
        answer();
}

// Whether the question can be answered: with a line, or with the end.
bool LineInput::findAnswer() {
    const std::size_t newline = buffer_.find('\n', lineEnd_);
    lineEnd_ = newline == std::string::npos ? buffer_.size() : newline;
    if (lineEnd_ - begin_ > maxLength_) {
        end_ = Failure::of<Error>(fmt::format("a line of the input is longer than {} bytes", maxLength_));
        buffer_.clear();
        begin_ = lineEnd_ = 0;
    }
    return lineEnd_ < buffer_.size() || end_;
}

// The handler is called last: this object may be destroyed in it.
void LineInput::answer() {
    Handler handler = std::exchange(handler_, nullptr);
    if (begin_ == buffer_.size()) {
        const Failure end = end_;
        return handler({.end = end});
    }
    const std::string text = buffer_.substr(begin_, lineEnd_ - begin_);
    begin_ = lineEnd_ = std::min(lineEnd_ + 1, buffer_.size());
    handler({.text = text});
}

} // namespace torsion
