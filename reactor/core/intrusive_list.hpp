#pragma once

namespace torsion::core {

/// A place in an IntrusiveList; `Tag` tells several lists' places in one object apart. Leaves its list when destroyed.
template <class Tag>
class ListHook {
public:
    ListHook() = default;
    ListHook(const ListHook&) = delete;
    ListHook& operator=(const ListHook&) = delete;
    ~ListHook() { unlink(); }

    bool linked() const noexcept { return next_ != nullptr; }

    void unlink() noexcept {
        if (!next_)
            return;
        previous_->next_ = next_;
        next_->previous_ = previous_;
        previous_ = next_ = nullptr;
    }

private:
    template <class T, class U>
    friend class IntrusiveList;
    ListHook* previous_ = nullptr;
    ListHook* next_ = nullptr;
};

/// A doubly linked list of objects that carry their own links (`T` derives from `ListHook<Tag>`): joining and leaving
/// allocate nothing and never search. Does not own its members.
template <class T, class Tag>
class IntrusiveList {
    using Hook = ListHook<Tag>;

public:
    IntrusiveList() noexcept { reset(); }
    IntrusiveList(const IntrusiveList&) = delete;
    IntrusiveList& operator=(const IntrusiveList&) = delete;
    ~IntrusiveList() {
        while (!empty())
            popFront();
        head_.next_ = head_.previous_ = nullptr;
    }

    bool empty() const noexcept { return head_.next_ == &head_; }
    T& front() noexcept { return static_cast<T&>(*head_.next_); }

    void pushBack(T& member) noexcept { insertBefore(head_, member); }

    T& popFront() noexcept {
        T& first = front();
        static_cast<Hook&>(first).unlink();
        return first;
    }

    /// Moves all members of `other` to the end of this list, in order, in constant time.
    void takeAll(IntrusiveList& other) noexcept {
        if (other.empty())
            return;
        Hook* first = other.head_.next_;
        Hook* last = other.head_.previous_;
        first->previous_ = head_.previous_;
        head_.previous_->next_ = first;
        last->next_ = &head_;
        head_.previous_ = last;
        other.reset();
    }

    /// The member after `member`, or null.
    T* next(T& member) noexcept {
        Hook* hook = static_cast<Hook&>(member).next_;
        return hook == &head_ ? nullptr : &static_cast<T&>(*hook);
    }

    T* first() noexcept { return empty() ? nullptr : &front(); }

private:
    void reset() noexcept { head_.next_ = head_.previous_ = &head_; }

    static void insertBefore(Hook& place, T& member) noexcept {
        Hook& hook = member;
        hook.previous_ = place.previous_;
        hook.next_ = &place;
        place.previous_->next_ = &hook;
        place.previous_ = &hook;
    }

    Hook head_;
};

} // namespace torsion::core
