#pragma once

#include <reactor/delayed_call.hpp>
#include <reactor/embedding/embedding.hpp>
#include <reactor/embedding/torsion.h>
#include <reactor/failure.hpp>
#include <reactor/libuv/uv_reactor.hpp>

#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

// What the sources of the C interface share: the handles, their counts, and the boundary that no exception crosses.

namespace torsion::c {

/// Ends a function of the interface with a code and a text.
struct Refusal {
    int code;
    std::string text;
};

/// Keeps what is wrong for torsion_last_error(). Inside of a catch. @returns the code that says it.
int failCurrent(const char* function) noexcept;

/// Runs the body of the C function of that name. @returns what it returned, or the code of what it threw.
template <class F>
int guard(const char* function, F&& body) noexcept {
    try {
        return body();
    } catch (...) {
        return failCurrent(function);
    }
}

/// Runs somebody's code where nothing around it catches: what that throws is logged.
void contain(const char* what, void (*f)(void*), void* user) noexcept;

/// How a handle is held: begins at one, the maker's.
struct Counted {
    std::atomic<std::size_t> holders{1};
};

/// One hold of a handle.
template <class T>
class Hold {
public:
    Hold() noexcept = default;
    /// Takes over the maker's.
    explicit Hold(std::unique_ptr<T> made) noexcept : handle_(made.release()) {}
    explicit Hold(T& handle) noexcept : handle_(&handle) { ++handle.holders; }
    Hold(const Hold& other) noexcept : handle_(other.handle_) {
        if (handle_)
            ++handle_->holders;
    }
    Hold(Hold&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
    Hold& operator=(Hold other) noexcept {
        std::swap(handle_, other.handle_);
        return *this;
    }
    ~Hold() {
        if (handle_)
            drop(*handle_);
    }

    T* get() const noexcept { return handle_; }
    T& operator*() const noexcept { return *handle_; }
    T* operator->() const noexcept { return handle_; }

    /// The hold becomes the caller's.
    T* release() noexcept { return std::exchange(handle_, nullptr); }

    static void drop(T& handle) noexcept {
        if (--handle.holders == 0)
            delete &handle;
    }

private:
    T* handle_ = nullptr;
};

/// Not null, a function's neither. @throws Refusal
template <class T>
T& given(T* pointer, const char* name) {
    if (!pointer)
        throw Refusal{TORSION_ERROR_ARGUMENT, std::string(name) + " is NULL"};
    return *pointer;
}

/// `size` as a structure says it, when the library's has `known` bytes. @throws Refusal
void checkSize(const char* name, const void* given, std::size_t size, std::size_t known);

/// A caller's structure as the library knows it: zero where it is shorter. @throws Refusal
template <class T>
T taken(const T* pointer, const char* name) {
    T copy{};
    if (pointer) {
        checkSize(name, pointer, pointer->size, sizeof(T));
        std::memcpy(&copy, pointer, std::min(pointer->size, sizeof(T)));
    }
    return copy;
}

} // namespace torsion::c

/// A reactor of C. The handle stays when the reactor is destroyed.
struct torsion_reactor : torsion::c::Counted {
    explicit torsion_reactor(std::unique_ptr<torsion::UvReactor> made)
        : reactor(std::move(made)), remote(reactor->remote()) {}

    const std::thread::id thread = std::this_thread::get_id();
    pid_t process = ::getpid();
    std::unique_ptr<torsion::UvReactor> reactor;
    std::optional<torsion::Embedding> embedding; // none on a foreign loop
    const torsion::Remote remote;
    std::atomic<bool> alive{true};
    int depth = 0; // callbacks on the stack, on_stopped's left out
};

namespace torsion::c {

/// That it is the reactor's thread. @throws Refusal
void checkThread(const torsion_reactor& handle);

/// As above, and that the reactor is there. @throws Refusal
UvReactor& alive(const torsion_reactor& handle);

/// That a handle of the reactor's things may be counted here. @throws Refusal
void checkCounting(const torsion_reactor& handle);

/// While it lives a callback is on the stack: torsion_destroy() is refused.
class Inside {
public:
    explicit Inside(torsion_reactor& handle) noexcept : handle_(handle) { ++handle_->depth; }
    Inside(const Inside&) = delete;
    Inside& operator=(const Inside&) = delete;
    ~Inside() { --handle_->depth; }

private:
    Hold<torsion_reactor> handle_;
};

/// A function of C with its pointer, to be called by the reactor.
class Callback {
public:
    Callback(torsion_reactor& handle, torsion_function f, void* user) noexcept : handle_(&handle), f_(f), user_(user) {}

    void operator()() const {
        const Callback self = *this; // the call may destroy what holds it
        const Inside inside(*self.handle_);
        self.f_(self.user_);
    }

private:
    torsion_reactor* handle_; // what calls it goes with the reactor, and that with the handle at the latest
    torsion_function f_;
    void* user_;
};

/// Counts of the handles of a reactor's things, whose member `owner` holds their reactor's handle.
template <class T>
int retain(const char* function, T* handle) noexcept {
    return guard(function, [&] {
        checkCounting(*given(handle, "the handle").owner);
        ++handle->holders;
        return TORSION_OK;
    });
}

template <class T>
int release(const char* function, T* handle) noexcept {
    return guard(function, [&] {
        const Hold<torsion_reactor> owner = given(handle, "the handle").owner;
        checkCounting(*owner);
        Hold<T>::drop(*handle);
        return TORSION_OK;
    });
}

/// Puts a handle where the caller wants it, if it does.
template <class T, class... Args>
void giveOut(T** place, Args&&... args) {
    if (place)
        *place = new T(std::forward<Args>(args)...);
}

} // namespace torsion::c
