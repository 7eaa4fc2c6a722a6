#include <reactor/core/pending_list.hpp>

namespace torsion {

namespace detail {

std::uint64_t PendingList::add(Function<void()> onDestroyed) {
    operations_.emplace(++lastId_, std::move(onDestroyed));
    if (operations_.size() == 1)
        onChange_(true);
    return lastId_;
}

void PendingList::remove(std::uint64_t id) noexcept {
    const auto node = operations_.extract(id); // what it holds is destroyed when all is in order
    if (!node.empty() && operations_.empty())
        onChange_(false);
}

Function<void()> PendingList::takeFirst() {
    const auto first = operations_.begin();
    Function<void()> function = std::move(first->second);
    remove(first->first);
    return function;
}

} // namespace detail

PendingOperation& PendingOperation::operator=(PendingOperation&& other) noexcept {
    if (this != &other) {
        end();
        list_ = std::move(other.list_);
        id_ = other.id_;
    }
    return *this;
}

void PendingOperation::end() noexcept {
    const std::weak_ptr<detail::PendingList> weak = std::exchange(list_, {});
    if (const auto list = weak.lock())
        list->remove(id_);
}

} // namespace torsion
