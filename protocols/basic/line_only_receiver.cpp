#include <protocols/basic/line_only_receiver.hpp>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>

namespace torsion {

namespace {

constexpr auto kNotFound = std::string_view::npos;

// How many bytes at the end of `text` may be the beginning of `delimiter`: the most, of several possibilities.
std::size_t delimiterBegun(std::string_view text, std::string_view delimiter) {
    std::size_t length = std::min(text.size(), delimiter.size() - 1);
    while (length > 0 && !text.ends_with(delimiter.substr(0, length)))
        --length;
    return length;
}

} // namespace

LineOnlyReceiver::LineOnlyReceiver(const LineOptions& options) : maxLength_(options.maxLength) {
    setDelimiter(options.delimiter);
}

void LineOnlyReceiver::setDelimiter(std::string_view delimiter) {
    if (delimiter.empty())
        throw std::invalid_argument("LineOnlyReceiver: the delimiter is empty");
    delimiter_ = delimiter;
    cutAgain_ = !partial_.empty();
}

void LineOnlyReceiver::makeConnection(Transport& newTransport) {
    partial_.clear();
    skipping_ = closed_ = cutAgain_ = false;
    Protocol::makeConnection(newTransport);
}

void LineOnlyReceiver::sendLine(std::string_view line) {
    transport->writeSequence(std::array{line, std::string_view(delimiter_)});
}

void LineOnlyReceiver::lineLengthExceeded(std::string_view) {
    transport->loseConnection();
}

// Lines that lie in one chunk are delivered where they lie; only an unfinished one is copied.
void LineOnlyReceiver::dataReceived(std::string_view data) {
    if (cutAgain_) {
        cutAgain_ = false;
        const std::string all = std::exchange(partial_, {}).append(data);
        return cut(all);
    }
    if (!partial_.empty() && !closed())
        data = finishPartial(data);
    cut(data);
}

void LineOnlyReceiver::cut(std::string_view data) {
    while (!data.empty() && !closed()) {
        const std::size_t end = data.find(delimiter_);
        if (end == kNotFound)
            return keepPartial(data);
        const std::size_t used = end + delimiter_.size(); // the callback may change the delimiter
        deliver(data.substr(0, end));
        data.remove_prefix(used);
    }
}

// Completes the line that earlier chunks began, if its end is in `data`; returns what follows it.
//
//     partial_                      data
//     "…the line's beginning\r"     "\n" "the next line…"      the delimiter may lie across the seam,
//     "…the line's beg"             "inning\r\n" "the next…"   or in the chunk as a whole
std::string_view LineOnlyReceiver::finishPartial(std::string_view data) {
    const std::size_t before = partial_.size();
    const std::size_t width = delimiter_.size();
    partial_.append(data.substr(0, width - 1));
    std::size_t end = partial_.find(delimiter_, before - std::min(before, width - 1));
    if (end == kNotFound) {
        const std::size_t inData = data.find(delimiter_);
        partial_.resize(before);
        if (inData == kNotFound) {
            keepPartial(data);
            return {};
        }
        partial_.append(data.substr(0, inData));
        end = before + inData;
    }
    deliver(std::string_view(partial_).substr(0, end));
    partial_.clear();
    return data.substr(end + width - before);
}

// No delimiter in sight. A delimiter that has begun does not count for the length (S-192).
void LineOnlyReceiver::keepPartial(std::string_view data) {
    partial_.append(data);
    const std::size_t begun = delimiterBegun(partial_, delimiter_);
    const std::size_t length = partial_.size() - begun;
    if (!skipping_ && length > maxLength_) {
        skipping_ = true;
        lineLengthExceeded(partial_);
    }
    if (skipping_)
        partial_.erase(0, length);
    closed();
}

void LineOnlyReceiver::deliver(std::string_view line) {
    if (skipping_) {
        skipping_ = false;
    } else if (line.size() > maxLength_) {
        lineLengthExceeded(line);
    } else {
        lineReceived(line);
    }
}

bool LineOnlyReceiver::closed() {
    if (!closed_ && transport->isDisconnecting()) {
        closed_ = true;
        partial_.clear();
    }
    return closed_;
}

} // namespace torsion
