#pragma once

#include <reactor/connector.hpp>
#include <reactor/core/intrusive_list.hpp>
#include <reactor/delayed_call.hpp>
#include <reactor/embedding/embedding.hpp>
#include <reactor/embedding/torsion.h>
#include <reactor/failure.hpp>
#include <reactor/libuv/uv_reactor.hpp>

#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <span>
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

    /// In one step, whatever other threads do meanwhile. @returns false when it is the last, and stays.
    static bool dropUnlessLast(T& handle) noexcept {
        std::size_t seen = handle.holders;
        while (seen > 1) {
            if (handle.holders.compare_exchange_weak(seen, seen - 1))
                return true;
        }
        return false;
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

/// The sizes that a structure of the interface has had, version 1's first: shorter than that, or in between, it is none
/// that a header ever declared.
template <class T>
struct Sizes;

/// Of what has not grown since version 1. @tparam Bytes what that is where pointers have 64 bits
template <class T, std::size_t Bytes>
struct FirstSize {
    static_assert(sizeof(void*) != 8 || sizeof(T) == Bytes, "the structure has grown: append to its sizes");
    static constexpr std::array<std::size_t, 1> kAll{sizeof(T)};
};

template <>
struct Sizes<torsion_options> : FirstSize<torsion_options, 32> {};
template <>
struct Sizes<torsion_handlers> : FirstSize<torsion_handlers, 64> {};
template <>
struct Sizes<torsion_listen_options> : FirstSize<torsion_listen_options, 32> {};
template <>
struct Sizes<torsion_connect_options> : FirstSize<torsion_connect_options, 32> {};
template <>
struct Sizes<torsion_producer> : FirstSize<torsion_producer, 32> {};

/// `size` as a structure says it, when the library's had `sizes`. @throws Refusal
void checkSize(const char* name, const void* given, std::size_t size, std::span<const std::size_t> sizes);

/// A caller's structure as the library knows it: zero where it is an older, shorter one. @throws Refusal
template <class T>
T taken(const T* pointer, const char* name) {
    static_assert(Sizes<T>::kAll.back() == sizeof(T));
    T copy{};
    if (pointer) {
        checkSize(name, pointer, pointer->size, Sizes<T>::kAll);
        std::memcpy(&copy, pointer, std::min(pointer->size, sizeof(T)));
    }
    return copy;
}

/// The timed call that a handle names. Let go of with the reactor: what calls share is not for several threads.
struct TimedCall : core::ListHook<TimedCall> {
    DelayedCall call;
};

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
    int depth = 0; // functions of producers on the stack: the core does not know of all of them

    /// Those that handles name, by number. Kept here and not by their handles, so that what they end with is told on
    /// the reactor's thread, wherever the last handle is released.
    std::map<std::uint64_t, std::shared_ptr<torsion::Connector>> connectors;
    std::uint64_t lastConnector = 0;
    torsion::core::IntrusiveList<torsion::c::TimedCall, torsion::c::TimedCall> timers; // those that handles name
};

namespace torsion::c {

/// That it is the reactor's thread. @throws Refusal
void checkThread(const torsion_reactor& handle);

/// As above, and that the reactor is there. @throws Refusal
UvReactor& alive(const torsion_reactor& handle);

/// That a handle of the reactor's things may be counted here. @throws Refusal
void checkCounting(const torsion_reactor& handle);

/// While it lives torsion_destroy() is refused.
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
    Callback(torsion_function f, void* user) noexcept : f_(f), user_(user) {}

    void operator()() const {
        const Callback self = *this; // the call may destroy what holds it
        self.f_(self.user_);
    }

private:
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

/// A handle, when the caller wants one: made before what it is for, so that nothing can fail once that has begun.
template <class T, class... Args>
std::unique_ptr<T> wanted(T** place, Args&&... args) {
    return place ? std::make_unique<T>(std::forward<Args>(args)...) : nullptr;
}

} // namespace torsion::c
