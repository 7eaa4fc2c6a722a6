#include <reactor/libuv/input_reader.hpp>

#include <reactor/errors.hpp>
#include <reactor/libuv/descriptor.hpp>
#include <reactor/libuv/descriptor_watch.hpp>
#include <reactor/libuv/loop_context.hpp>
#include <reactor/libuv/uv_reactor.hpp>

#include <spdlog/fmt/fmt.h>
#include <uv.h>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <system_error>
#include <utility>

namespace torsion {

namespace {

/// How a descriptor is kept from blocking.
enum class Manner {
    Own,    ///< opened by us, with O_NONBLOCK
    Socket, ///< each receive says that it must not wait
    Shared  ///< somebody else's: asked before each read; for regular files, and where opening was not permitted
};

struct Source {
    uv::Descriptor descriptor;
    Manner manner;
};

Source openSource(int descriptor) {
    struct stat status {};
    if (::fstat(descriptor, &status) != 0)
        throw std::system_error(errno, std::generic_category(), "cannot read a descriptor");
    if (S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode)) {
        const std::string path = fmt::format("/proc/self/fd/{}", descriptor);
        uv::Descriptor own(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
        if (own)
            return {std::move(own), Manner::Own};
    }
    uv::Descriptor copy(::fcntl(descriptor, F_DUPFD_CLOEXEC, 0));
    if (!copy)
        throw std::system_error(errno, std::generic_category(), "cannot duplicate a descriptor");
    return {std::move(copy), S_ISSOCK(status.st_mode) ? Manner::Socket : Manner::Shared};
}

} // namespace

/// Two ways of waiting: for the next turn, and for libuv's word. Reading begins with the first and changes to the
/// second when there is nothing to read, which never happens to a file. It cannot begin with the second: epoll does not
/// know a regular file, and tells nothing of a pipe that was opened anew after its last writer had gone.
class InputReader::Impl final : private uv::Ready {
public:
    Impl(UvReactor& reactor, int descriptor, InputEvents& events)
        : context_(reactor.context()), events_(events), source_(openSource(descriptor)) {}

    ~Impl() {
        if (gone_)
            *gone_ = true;
    }
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;

    void resume();
    void pause() noexcept;
    bool isReading() const noexcept { return reading_; }

private:
    void onReady(int status, int events) override;
    void readNextTurn();
    void waitForInput();
    void read();
    void deliver(std::string_view data);
    ssize_t readInto(char* buffer, std::size_t size);
    void end(const Failure& reason);

    uv::LoopContext& context_;
    InputEvents& events_;
    Source source_; // closed after the watch, which is destroyed first
    std::optional<uv::DescriptorWatch> watch_;
    ScopedCall nextTurn_;
    bool* gone_ = nullptr; // while events_ are told
    bool reading_ = false;
    bool ended_ = false;
    bool missed_ = false; // input came meanwhile
};

void InputReader::Impl::resume() {
    if (reading_ || ended_)
        return;
    reading_ = true;
    readNextTurn();
}

void InputReader::Impl::pause() noexcept {
    reading_ = false;
    nextTurn_.cancel();
    if (watch_)
        watch_->watch(0);
}

void InputReader::Impl::readNextTurn() {
    nextTurn_ = context_.turn.callLater(Duration::zero(), [this] { read(); });
}

// Beginning to watch makes libuv set O_NONBLOCK, also on what is not ours.
void InputReader::Impl::waitForInput() {
    if (!watch_) {
        const int descriptor = source_.descriptor.get();
        const int flags = ::fcntl(descriptor, F_GETFL);
        watch_.emplace(context_, descriptor, static_cast<uv::Ready&>(*this));
        if (source_.manner != Manner::Own)
            ::fcntl(descriptor, F_SETFL, flags);
    }
    watch_->watch(UV_READABLE);
}

void InputReader::Impl::onReady(int status, int) {
    if (status < 0)
        watch_->stopped();
    if (reading_)
        read();
}

// The last thing that is done here is a callback, in which this object may be destroyed. A host's loop may run inside
// it, and what comes then waits.
void InputReader::Impl::read() {
    if (gone_) {
        missed_ = true;
        if (watch_)
            watch_->watch(0);
        return;
    }
    const ssize_t count = readInto(context_.readBuffer.get(), uv::LoopContext::kReadSize);
    if (count == 0)
        return end(Failure::of<ConnectionDone>());
    if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        try {
            return waitForInput();
        } catch (const std::system_error& error) {
            return end(Failure::of<ConnectionLost>(error.code().value()));
        }
    }
    if (count < 0 && errno != EINTR)
        return end(Failure::of<ConnectionLost>(errno));
    if (!watch_ || watch_->events() == 0)
        readNextTurn();
    if (count > 0) {
        const std::string_view data(context_.readBuffer.get(), static_cast<std::size_t>(count));
        deliver(data);
    }
}

void InputReader::Impl::deliver(std::string_view data) {
    bool gone = false;
    gone_ = &gone;
    context_.turn.guard("inputReceived", [this, data] { events_.inputReceived(data); });
    if (gone)
        return;
    gone_ = nullptr;
    if (std::exchange(missed_, false) && reading_)
        readNextTurn();
}

ssize_t InputReader::Impl::readInto(char* buffer, std::size_t size) {
    const int descriptor = source_.descriptor.get();
    if (source_.manner == Manner::Socket)
        return ::recv(descriptor, buffer, size, MSG_DONTWAIT);
    if (source_.manner == Manner::Shared) {
        pollfd question{descriptor, POLLIN, 0};
        if (::poll(&question, 1, 0) == 0) {
            errno = EAGAIN;
            return -1;
        }
    }
    return ::read(descriptor, buffer, size);
}

void InputReader::Impl::end(const Failure& reason) {
    ended_ = true;
    pause();
    context_.turn.guard("inputEnded", [&events = events_, &reason] { events.inputEnded(reason); });
}

InputReader::InputReader(UvReactor& reactor, int descriptor, InputEvents& events)
    : impl_(std::make_unique<Impl>(reactor, descriptor, events)) {}

InputReader::~InputReader() = default;

void InputReader::resumeReading() {
    impl_->resume();
}

void InputReader::pauseReading() noexcept {
    impl_->pause();
}

bool InputReader::isReading() const noexcept {
    return impl_->isReading();
}

} // namespace torsion
